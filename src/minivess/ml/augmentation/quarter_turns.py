"""Turns of patches in the yx plane."""

from __future__ import annotations

import numpy as np

from minivess.ml.augmentation.patches import Patches


def quarter_turns(rng: np.random.Generator, patches: Patches, *, half: bool = False) -> Patches:
    """Turn by a multiple of 90 degrees in the yx plane, or by 0 or 180 degrees where y and x differ.

    Args:
        rng: draws the number of turns.
        patches: of any channels.
        half: whether only 0 and 180 degrees are drawn, for voxels that are longer along y than along x.
    """
    image, label = patches
    square = label.shape[-2] == label.shape[-1] and not half
    turns = int(rng.integers(4)) if square else 2 * int(rng.integers(2))
    return np.rot90(image, turns, axes=(-2, -1)), np.rot90(label, turns, axes=(-2, -1))
