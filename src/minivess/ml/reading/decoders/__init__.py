"""Decoding of compressed frames in a process with limits."""
