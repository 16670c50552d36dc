"""Worse light, optics and detectors: changes of intensities. Mask and spacing stay as they are.

Each works on each channel by itself and takes intensities of any scale. The kinds of corruption follow Hendrycks & Dietterich
(2019, arXiv 1903.12261).
"""

from __future__ import annotations

import numpy as np

from minivess.ml.robustness.perturbation import Image, Label, Scene, Spacing, channels_as, channels_first


def noise(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Add Gaussian noise. The level is its standard deviation, in standard deviations of the channel."""
    channels = channels_first(image, label)
    drawn = rng.standard_normal(channels.shape, dtype=np.float32)
    deviations = channels.std(axis=tuple(range(1, channels.ndim)), keepdims=True)
    return Scene(channels_as(channels + drawn * (level * deviations), image, label), label, spacing)


def blur(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Blur with a Gaussian that is round in space. The level is its standard deviation, in sides of the voxel's shortest side."""
    from scipy import ndimage

    deviations = [level * min(spacing) / step for step in spacing]
    blurred = [ndimage.gaussian_filter(channel, deviations, mode="nearest") for channel in channels_first(image, label)]
    return Scene(channels_as(np.stack(blurred), image, label), label, spacing)


def contrast(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Bring values nearer to the mean of their channel. The level is the per cent of contrast that is lost, below 100."""
    channels = channels_first(image, label)
    means = channels.mean(axis=tuple(range(1, channels.ndim)), keepdims=True)
    return Scene(channels_as(means + (channels - means) * (1 - level / 100), image, label), label, spacing)


def gamma(rng: np.random.Generator, image: Image, label: Label, spacing: Spacing, level: float) -> Scene:
    """Raise values, from 0 at the lowest to 1 at the highest of a channel, to the power 1 + level: dim structures get darker."""
    channels = channels_first(image, label)
    voxels = tuple(range(1, channels.ndim))
    low = channels.min(axis=voxels, keepdims=True)
    span = channels.max(axis=voxels, keepdims=True) - low
    share = np.divide(channels - low, span, out=np.zeros_like(channels), where=span > 0)
    return Scene(channels_as(low + span * share ** np.float32(1 + level), image, label), label, spacing)
