"""Measures of two masks, one module each."""
