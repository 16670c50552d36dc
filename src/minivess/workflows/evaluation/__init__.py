"""Evaluations that need no access to the sealed test set."""
