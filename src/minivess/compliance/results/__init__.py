"""Test results: recorded by the pytest plugin, read back, with their evidence files."""
