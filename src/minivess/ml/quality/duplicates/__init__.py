"""Images that show the same object."""
