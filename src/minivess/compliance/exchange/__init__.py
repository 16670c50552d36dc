"""Items and results of other tools, read and written."""
