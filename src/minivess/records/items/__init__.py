"""What people write about a device, and how it links."""
