"""Foreign bytes within limits: encodings, XML and zip archives."""
