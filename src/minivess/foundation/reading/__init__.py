"""Reading files: YAML and JSON into records, and the tables that come with this package."""
