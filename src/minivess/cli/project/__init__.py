"""`minivess init`, `status`, `doctor` and `demo`."""
