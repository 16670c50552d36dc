"""Volumes and masks from file or generator to a validated, split, sealed and versioned data set."""
