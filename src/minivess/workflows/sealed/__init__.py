"""Access to the sealed test set: what is registered before, requests, approvals and the final evaluation."""
