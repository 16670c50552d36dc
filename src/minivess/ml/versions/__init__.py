"""Data under DVC: versions, remotes, transfers and pipeline stages."""
