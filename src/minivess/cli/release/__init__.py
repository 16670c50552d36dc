"""`minivess release`."""
