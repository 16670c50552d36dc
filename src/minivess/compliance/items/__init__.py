"""What people write about a device, read from a source tree: items, features and marks in code."""
