"""The inference service: HTTP in front of `workflows.serving.inference`. It can neither train nor read the data sets."""
