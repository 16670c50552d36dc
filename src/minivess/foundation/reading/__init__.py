"""Reading files that come with this package."""
