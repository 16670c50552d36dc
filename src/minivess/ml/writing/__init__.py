"""Masks as files of the formats that people read."""
