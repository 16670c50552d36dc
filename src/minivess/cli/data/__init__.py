"""`minivess data`."""
