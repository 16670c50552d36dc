"""`minivess dicom`."""
