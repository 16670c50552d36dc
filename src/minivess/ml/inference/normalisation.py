"""Intensities on one scale: the single place that training, inference, export and serving share. NumPy alone.

Intensities are clipped to their 0.5th and 99.5th percentile and then standardised, the scheme nnU-Net uses for CT
(Isensee et al. 2021, Nature Methods 18:203), here per volume because two-photon gain has no absolute scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError

LOWER_PERCENTILE = 0.5
UPPER_PERCENTILE = 99.5


def normalise(volume: NDArray[np.generic]) -> NDArray[np.float32]:
    """Clip a volume to its 0.5th to 99.5th percentile, then subtract the mean and divide by the standard deviation.

    The answer does not change when the input is shifted or multiplied by a positive number. A constant volume gives 0.

    Args:
        volume: intensities of any real type, axes (z, y, x).

    Raises:
        InputError: the volume has not three axes, is empty, or holds NaN or infinity.
    """
    if volume.ndim != 3 or volume.size == 0:
        raise InputError(f"a volume needs three axes and at least one voxel, got shape {volume.shape}")
    values = volume.astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError("the volume holds NaN or infinity", hint="repair or leave out the damaged voxels")
    lower, upper = np.percentile(values, [LOWER_PERCENTILE, UPPER_PERCENTILE])
    np.clip(values, lower, upper, out=values)
    spread = float(values.std(dtype=np.float64))
    scale = max(abs(float(lower)), abs(float(upper)))
    if spread <= 1e-7 * scale or spread == 0.0:
        return np.zeros_like(values)
    values -= np.float32(values.mean(dtype=np.float64))
    values /= np.float32(spread)
    return values
