"""How well a model segments images that are worse than usual."""
