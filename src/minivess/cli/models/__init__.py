"""`minivess train`, `ensemble`, `calibrate` and `model`."""
