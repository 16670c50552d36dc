"""Networks: MONAI architectures built from a specification, and their weights as files and digests."""
