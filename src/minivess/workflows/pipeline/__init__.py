"""The project as a DVC pipeline."""
