"""`minivess trace` and `minivess risk`."""
