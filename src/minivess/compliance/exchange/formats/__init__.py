"""One module a foreign format."""
