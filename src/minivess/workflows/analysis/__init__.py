"""What a model and its data are like beyond the registered evaluation. Nothing here reads the sealed test set."""
