"""From a raw image to what a network gets, and from its answer back to the grid of the image. No PyTorch."""
