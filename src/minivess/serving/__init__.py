"""The inference service: HTTP in front of `workflows.inference`. It can neither train nor read the data sets."""
