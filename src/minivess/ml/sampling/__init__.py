"""Training cases on the disk, and the patches that are drawn from them."""
