"""Random changes of training patches, one module each."""
