"""`minivess serve`."""
