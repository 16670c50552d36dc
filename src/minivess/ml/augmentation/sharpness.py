"""What optics, grid and detector do to a patch: blur, fewer voxels, noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minivess.ml.augmentation.intensities import per_channel
from minivess.ml.augmentation.patches import Image


def noise(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Add Gaussian noise of a drawn standard deviation."""
    deviation = per_channel(rng, low, high, image)
    made = rng.standard_normal(image.shape, dtype=np.float32)
    made *= deviation
    made += image
    return made


def blur(rng: np.random.Generator, image: Image, low: float, high: float, *, axes: Sequence[int]) -> Image:
    """Blur with a Gaussian of a drawn standard deviation in voxels.

    Args:
        rng: draws the deviation.
        image: the patch.
        low: least deviation.
        high: largest deviation.
        axes: of the mask that are blurred.
    """
    from scipy import ndimage

    made = np.empty(image.shape, np.float32)
    for channel, deviation, out in zip(image, per_channel(rng, low, high, image).ravel(), made, strict=True):
        ndimage.gaussian_filter(channel, float(deviation), output=out, axes=tuple(axes), truncate=3.0)
    return made


def low_resolution(rng: np.random.Generator, image: Image, low: float, high: float, *, axes: Sequence[int]) -> Image:
    """Interpolate linearly to a coarser grid over the same extent, and back. No structure moves against its mask.

    Args:
        rng: draws the share.
        image: the patch.
        low: least share of voxels that is left along an axis.
        high: largest share.
        axes: of the mask along which voxels are left out.
    """
    share = rng.uniform(low, high)
    made = image
    for axis in axes:
        made = _resampled(made, axis + 1, max(1, round(image.shape[axis + 1] * share)))
    for axis in axes:
        made = _resampled(made, axis + 1, image.shape[axis + 1])
    return made


def _resampled(image: Image, axis: int, size: int) -> Image:
    """Another number of voxels along an axis, by linear interpolation between their middles."""
    count = image.shape[axis]
    place = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    before = place.astype(np.intp)
    weight = (place - before).astype(np.float32).reshape(tuple(-1 if n == axis else 1 for n in range(image.ndim)))
    low: Image = image.take(before, axis=axis)
    step: Image = image.take(np.minimum(before + 1, count - 1), axis=axis)
    step -= low
    step *= weight
    step += low
    return step
