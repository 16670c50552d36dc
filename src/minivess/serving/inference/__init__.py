"""The HTTP service that answers volumes."""
