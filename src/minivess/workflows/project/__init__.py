"""A project folder: its start, its health, and the demonstration."""
