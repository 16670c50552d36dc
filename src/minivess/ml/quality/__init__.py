"""What the cases of a data set are like, and the rules they must meet."""
