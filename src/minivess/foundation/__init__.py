"""What every room may lean on: errors, digests, clock, files, settings and paths. Imports no room."""
