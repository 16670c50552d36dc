"""Training a released model again from its pack and its data."""
