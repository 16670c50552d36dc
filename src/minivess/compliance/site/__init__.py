"""The trace as people read it: a static site that opens from a disk."""
