"""DICOM in and out: series of a folder or from the network, answered as the service answers."""
