"""Build a Bento of the model in production."""
