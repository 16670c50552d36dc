"""What an augmentation changes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Patches = tuple[NDArray[np.float32], NDArray[np.uint8]]
"""A patch (channels, *patch) of an image and the same patch (*patch) of its mask."""

Augmentation = Callable[[np.random.Generator, Patches], Patches]
"""Draws a change and applies it to image and mask alike. The shapes stay the same."""
