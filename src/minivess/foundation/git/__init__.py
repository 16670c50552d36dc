"""What git knows about a source folder: its repository, its files, its changes."""
