"""From prepared cases to an exported model."""
