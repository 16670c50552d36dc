"""Proposals for spacing, patch, network, training and measures, from the data and the memory at hand. No PyTorch."""
