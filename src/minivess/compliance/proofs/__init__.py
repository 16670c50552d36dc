"""Canonical bytes, Merkle trees, checkpoints, envelopes and archives: pure functions from bytes to bytes."""
