"""`minivess init`, `doctor` and `demo`."""
