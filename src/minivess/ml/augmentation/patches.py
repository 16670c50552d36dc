"""What an augmentation changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""Intensities (channels, *grid), in standard deviations of the image or of the training part."""

Label = NDArray[np.uint8]
"""A mask (*grid) of indices of classes; 0 is background."""

Patches = tuple[Image, Label]
"""A patch (channels, *patch) of an image and the same patch (*patch) of its mask."""

Augmentation = Callable[[np.random.Generator, Patches], Patches]
"""Draws a change and applies it to image and mask alike. The shapes stay the same."""

IntensityChange = Callable[[np.random.Generator, Image, float, float], Image]
"""Draws from a range (low, high) and gives another image of the same shape. The given array stays as it is."""


class FailedChangeError(Exception):
    """A change failed on a patch. The message has the name of the change and what it raised."""
