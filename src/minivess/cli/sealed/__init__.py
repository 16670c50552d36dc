"""`minivess test-set` and `minivess evaluate`."""
