"""The spacing that images are resampled to, after nnU-Net (Isensee et al. 2021, Nature Methods 18:203, supplementary note 2).

The lower median over cases along each axis. Where one axis has much coarser steps and much fewer voxels than the others, its 10th
percentile: interpolated planes of the coarsest cases would teach the network what no microscope or scanner saw. Where all
cases have one spacing, or no physical size is known, images stay on their own grid.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.planning.fingerprint import DataFingerprint
from minivess.records.lengths import shown

NATIVE = "native"

APART = 50.0
"""Cases whose spacings along an axis differ so many times are of other units or another kind of image."""

ANISOTROPIC = 3.0
"""An axis is coarse when its step is this many times the next one's, and its voxels are this many times fewer."""

ALIKE = 1.01
"""Spacings that differ by less are one spacing."""


class Target(NamedTuple):
    """A proposed spacing and why."""

    spacing: tuple[float, ...] | None
    """In micrometres along each axis; None: images stay on their own grid."""
    reason: str

    @property
    def value(self) -> str:
        """As the project file states it."""
        return NATIVE if self.spacing is None else shown(self.spacing, "um", between=" x ")


def target_spacing(data: DataFingerprint) -> Target:
    """The spacing to resample to.

    Raises:
        UsageError: spacings differ so much that units must have been mixed.
    """
    if data.unit == "px":
        return Target(None, "no physical size is known, so images stay on their own grid")
    spacings = np.array(data.spacings)
    if bool((spacings.max(axis=0) <= ALIKE * spacings.min(axis=0)).all()):
        return Target(None, f"all cases have {shown(data.spacings[0], 'um', between=' x ')}")
    most = int(np.argmax(spacings.max(axis=0) / spacings.min(axis=0)))
    low, high = (shown(float(end), "um") for end in (spacings[:, most].min(), spacings[:, most].max()))
    if spacings[:, most].max() > APART * spacings[:, most].min():
        raise UsageError(
            f"along {data.task.axes[most]}, cases have spacings from {low} to {high}",
            hint="check their units, or state preprocessing.spacing",
        )
    middle = np.percentile(spacings, 50, axis=0, method="lower")  # a spacing that is met: most cases stay as they are
    grid = np.median(np.array(data.grids) * spacings / middle, axis=0)
    worst = int(np.argmax(middle))
    others = np.delete(np.arange(len(middle)), worst)
    if middle[worst] > ANISOTROPIC * middle[others].max() and grid[worst] * ANISOTROPIC < grid[others].min():
        finer = max(float(np.percentile(spacings[:, worst], 10)), float(middle[others].max()))
        if ALIKE * finer < middle[worst]:
            middle[worst] = finer
            return Target(
                _rounded(middle), f"the median; the 10th percentile of {data.task.axes[worst]}, which is coarse"
            )
    return Target(_rounded(middle), f"the median: along {data.task.axes[most]}, cases have {low} to {high}")


def _rounded(spacing: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{step:.4g}") for step in spacing)
