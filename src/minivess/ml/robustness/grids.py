"""Other grids: voxels of another size, and a smaller field of view.

Of other voxels the image alone is resampled. The mask keeps its grid, so that no measure changes because thin structures were
resampled: the answer of the model is brought to the grid of the mask, as the preprocessing of a model does it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minivess.ml.preprocessing.resampling import resample
from minivess.ml.robustness.perturbation import Image, Label, Scene, Spacing, channels_as, channels_first


def coarser(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """The same field of view in larger voxels. The level is the per cent by which their sides are longer."""
    return _regridded(image, label, spacing, 1 + level / 100)


def finer(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """The same field of view in smaller voxels. The level is the per cent by which their sides are shorter, below 100."""
    return _regridded(image, label, spacing, 1 - level / 100)


def cropped(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """A part of the field of view, at a place that is drawn. The level is the per cent that each side loses, below 100."""
    kept = [max(1, round(side * (1 - level / 100))) for side in label.shape]
    places = rng.random(label.ndim)
    window = tuple(
        slice(start := int(place * (side - size + 1)), start + size)
        for place, side, size in zip(places, label.shape, kept, strict=True)
    )
    return Scene(image[window], label[window], spacing)


def _regridded(image: Image, label: Label, spacing: Spacing, factor: float) -> Scene:
    """The image by linear interpolation, after a blur that fits larger voxels. The mask stays."""
    grid = [max(1, round(side / factor)) for side in label.shape]
    channels = channels_first(image, label)
    if factor > 1:
        channels = _averaged(channels, [size / new for size, new in zip(label.shape, grid, strict=True)])
    steps = tuple(step * side / new for step, side, new in zip(spacing, label.shape, grid, strict=True))
    changed = resample(np.ascontiguousarray(channels, np.float32), grid)
    return Scene(channels_as(changed, image, label), label, steps)


def _averaged(channels: Image, factors: Sequence[float]) -> Image:
    """What a voxel so many times as long collects: a blur with the standard deviation of its box beyond that of the old one."""
    from scipy import ndimage

    deviations = [np.sqrt(max(factor**2 - 1, 0) / 12) for factor in factors]
    return np.stack([ndimage.gaussian_filter(channel, deviations, mode="nearest") for channel in channels])
