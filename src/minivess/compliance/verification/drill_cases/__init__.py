"""Attacks on a copy of a log, which verification must name."""
