"""Flips of patches."""

from __future__ import annotations

import numpy as np

from minivess.ml.augmentation.patches import Patches


def flip(rng: np.random.Generator, patches: Patches) -> Patches:
    """Flip along each axis with probability 1/2."""
    image, label = patches
    axes = tuple(axis for axis in range(-label.ndim, 0) if rng.random() < 0.5)
    return np.flip(image, axes), np.flip(label, axes)
