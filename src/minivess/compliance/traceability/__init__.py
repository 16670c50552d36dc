"""Traceability: what is required, what endangers, what was built, what was run, and where a link is missing."""
