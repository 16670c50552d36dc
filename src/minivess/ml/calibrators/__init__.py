"""Calibrators of logits, one module each."""
