"""Intensities on one scale. NumPy alone.

Intensities are clipped to their 0.5th and 99.5th percentile and then standardised, the scheme nnU-Net uses for CT
(Isensee et al. 2021, Nature Methods 18:203): by default for each image on its own, because the gain of microscopes, of MR
and of cameras has no absolute scale; with statistics of the training part where the scale is absolute, as in CT.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.ml.preprocessing.order_statistics import percentiles
from minivess.records.models.preprocessing import LOWER_PERCENTILE, UPPER_PERCENTILE, ForegroundStatistics

SAMPLED = 10_000
"""Foreground voxels of a case that statistics are taken from, evenly spaced."""


def normalise(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """Clip an image to its 0.5th to 99.5th percentile, then subtract the mean and divide by the standard deviation.

    The answer does not change when the input is shifted or multiplied by a positive number. A constant image gives 0.

    Args:
        image: intensities of one channel, of any real type, axes (z, y, x) or (y, x).

    Raises:
        InputError: the image has another number of axes, is empty, or holds NaN or infinity.
    """
    values = _checked(image)
    lower, upper = percentiles(values, (LOWER_PERCENTILE, UPPER_PERCENTILE))
    np.clip(values, np.float32(lower), np.float32(upper), out=values)
    spread = float(values.std(dtype=np.float64))
    scale = max(abs(lower), abs(upper))
    if spread <= 1e-7 * scale or spread == 0.0:
        return np.zeros_like(values)
    values -= np.float32(values.mean(dtype=np.float64))
    values /= np.float32(spread)
    return values


def normalise_by(image: NDArray[np.generic], statistics: ForegroundStatistics) -> NDArray[np.float32]:
    """Clip an image to the percentiles of statistics, then subtract their mean and divide by their deviation.

    Args:
        image: as for `normalise`.
        statistics: of the same channel.

    Raises:
        InputError: as `normalise`.
    """
    values = _checked(image)
    np.clip(values, np.float32(statistics.lower), np.float32(statistics.upper), out=values)
    values -= np.float32(statistics.mean)
    values /= np.float32(statistics.deviation)
    return values


def foreground_sample(image: NDArray[np.generic], mask: NDArray[np.generic]) -> NDArray[np.generic]:
    """Foreground voxels of one channel, evenly spaced: at most `SAMPLED`, so that each case counts as much.

    Args:
        image: intensities.
        mask: of the same shape; 0 is background.
    """
    inside = np.asarray(image)[np.asarray(mask) != 0]
    count = min(inside.size, SAMPLED)
    drawn: NDArray[np.generic] = inside[np.arange(count) * inside.size // max(count, 1)]
    return drawn


def foreground_statistics(samples: Sequence[NDArray[np.generic]]) -> ForegroundStatistics:
    """Statistics of one channel in the foreground of cases.

    Args:
        samples: what `foreground_sample` gives of each case.

    Raises:
        InputError: no case has foreground, a value is not finite, or all values are the same.
    """
    values = np.concatenate([one.astype(np.float64) for one in samples]) if samples else np.zeros(0)
    if not values.size:
        raise InputError("no training case has foreground", hint="check that the masks are not empty")
    if not np.isfinite(values).all():
        raise InputError("the foreground holds NaN or infinity", hint="repair or leave out the damaged voxels")
    lower, upper = (float(level) for level in np.percentile(values, [LOWER_PERCENTILE, UPPER_PERCENTILE]))
    clipped = np.clip(values, lower, upper)
    if not lower < upper:
        raise InputError(
            "the foreground of the training part has one intensity", hint="choose preprocessing.normalisation: per-case"
        )
    return ForegroundStatistics(lower=lower, upper=upper, mean=float(clipped.mean()), deviation=float(clipped.std()))


def _checked(image: NDArray[np.generic]) -> NDArray[np.float32]:
    """A copy as float32."""
    if image.ndim not in (2, 3) or image.size == 0:
        raise InputError(f"an image needs two or three axes and at least one voxel, got shape {image.shape}")
    values = image.astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError("the image holds NaN or infinity", hint="repair or leave out the damaged voxels")
    return values
