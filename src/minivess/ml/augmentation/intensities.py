"""Changes of the values of a patch, voxel by voxel, and of its illumination.

Each is drawn once for all channels or once for each channel, with the same probability.
"""

from __future__ import annotations

import numpy as np

from minivess.ml.augmentation.patches import Image
from minivess.ml.augmentation.smooth_fields import smooth_field

FLAT = 1e-6
"""A channel whose values differ by less is left as it is, where a change needs a range of values."""
POINTS = 10
"""Control points of a shifted histogram."""


def per_channel(rng: np.random.Generator, low: float, high: float, image: Image) -> Image:
    """Numbers of a range, one for each channel, to be multiplied with an image: all alike or each its own."""
    count = image.shape[0] if rng.random() < 0.5 else 1
    drawn = rng.uniform(low, high, count).astype(np.float32)
    return np.broadcast_to(drawn, image.shape[0]).reshape(-1, *(1,) * (image.ndim - 1))


def brightness(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Add a number of standard deviations."""
    return image + per_channel(rng, low, high, image)


def contrast(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Multiply differences from the mean of the patch, and clip to the values that were there."""
    voxels = _voxels(image)
    mean = image.mean(axis=voxels, keepdims=True)
    changed = (image - mean) * per_channel(rng, low, high, image) + mean
    lowest, highest = image.min(axis=voxels, keepdims=True), image.max(axis=voxels, keepdims=True)
    return np.clip(changed, lowest, highest, out=changed)


def gamma(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Raise to a power between the lowest and the highest value of the patch, of dark or of bright values alike.

    Mean and standard deviation stay, so that only the shape of the histogram changes (nnU-Net, Isensee et al. 2021).
    """
    exponent = per_channel(rng, low, high, image)
    inverted = rng.random() < 0.25
    made = np.array(image, np.float32)
    for channel, power in zip(made, exponent.ravel(), strict=True):
        lowest, spread = channel.min(), np.ptp(channel)
        if spread < FLAT:
            continue
        mean, deviation = channel.mean(), channel.std()
        share = (channel - lowest) / spread
        if inverted:
            share = 1 - share
        np.power(share, power, out=share)
        if inverted:
            share = 1 - share
        channel[...] = (share - share.mean()) * (deviation / max(share.std(), np.float32(FLAT))) + mean
    return made


def histogram_shift(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Map values by a rising line through points that are moved by a share of their distance (MONAI RandHistogramShift)."""
    share = rng.uniform(low, high)
    moved = np.linspace(0, 1, POINTS)
    moved[1:-1] += rng.uniform(-share, share, POINTS - 2) / (POINTS - 1)
    made = np.empty(image.shape, np.float32)
    for channel, out in zip(image, made, strict=True):
        lowest, spread = float(channel.min()), float(np.ptp(channel))
        out[...] = np.interp(channel, np.linspace(lowest, lowest + spread, POINTS), moved * spread + lowest)
    return made


def bias_field(rng: np.random.Generator, image: Image, low: float, high: float) -> Image:
    """Multiply heights over the darkest voxel of the patch with a smooth field: light or a coil that is not even.

    Args:
        rng: draws the field, one for all channels.
        image: the patch.
        low: least logarithm at a control point.
        high: largest logarithm at a control point.
    """
    field = np.exp(smooth_field(rng, image.shape[1:], (2,) * (image.ndim - 1), rng.uniform(low, high)))
    lowest = image.min(axis=_voxels(image), keepdims=True)
    return (image - lowest) * field + lowest


def _voxels(image: Image) -> tuple[int, ...]:
    """The axes of an image without its channels."""
    return tuple(range(1, image.ndim))
