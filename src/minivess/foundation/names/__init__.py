"""Names of files: paths in URLs, and ids as names of files."""
