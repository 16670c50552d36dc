"""Frames of whole pages that belong to no pack."""
