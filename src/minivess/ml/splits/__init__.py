"""Parts and folds of a data set, and the guard against leakage between them."""
