"""`minivess audit` and `minivess witness`."""
