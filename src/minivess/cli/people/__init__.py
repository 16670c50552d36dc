"""`minivess identity`."""
