"""Means, intervals and bounds of figures. Standard library only."""
