"""Serving a model: answers, refused requests, and the log of a site."""
