"""A listener for DICOM series from the network."""
