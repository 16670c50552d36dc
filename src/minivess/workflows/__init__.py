"""The only place where wings meet: one use case, one file."""
