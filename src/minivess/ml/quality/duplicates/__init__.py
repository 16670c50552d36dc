"""Images that show the same thing."""
