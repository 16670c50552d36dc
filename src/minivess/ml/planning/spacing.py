"""The spacing that images are resampled to, after nnU-Net (Isensee et al. 2021, Nature Methods 18:203, supplementary note 2).

The lower median over cases along each axis. Where one axis has much coarser steps and much fewer voxels than the others, its 10th
percentile: interpolated planes of the coarsest cases would teach the network what no microscope or scanner saw. Where all
cases have one spacing, or no physical size is known, images stay on their own grid.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.ml.planning.fingerprint import DataFingerprint

ANISOTROPIC = 3.0
"""An axis is coarse when its step is this many times the next one's, and its voxels are this many times fewer."""

ALIKE = 1.01
"""Spacings that differ by less are one spacing."""


class Target(NamedTuple):
    """A proposed spacing and why."""

    value: tuple[float, ...] | Literal["native"]
    """In micrometres along each axis, or `native`."""
    reason: str

    @property
    def spacing(self) -> tuple[float, ...] | None:
        """In micrometres; None: images stay on their own grid."""
        return None if isinstance(self.value, str) else self.value


def target_spacing(data: DataFingerprint) -> Target:
    """The spacing to resample to."""
    if data.unit == "px":
        return Target("native", "no physical size is known, so images stay on their own grid")
    spacings = np.array(data.spacings)
    if bool((spacings.max(axis=0) <= ALIKE * spacings.min(axis=0)).all()):
        return Target("native", f"all cases have {length_in_words(data.spacings[0])}")
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
    most = int(np.argmax(spacings.max(axis=0) / spacings.min(axis=0)))
    low, high = (length_in_words((float(end),)) for end in (spacings[:, most].min(), spacings[:, most].max()))
    return Target(_rounded(middle), f"the median: along {data.task.axes[most]}, cases have {low} to {high}")


def _rounded(spacing: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(f"{step:.4g}") for step in spacing)


def length_in_words(spacing: tuple[float, ...]) -> str:
    """A spacing for people: in millimetres from 100 µm on, else in micrometres."""
    factor, unit = (1e-3, "mm") if min(spacing) >= 100 else (1.0, "µm")
    return f"{' x '.join(f'{step * factor:.4g}' for step in spacing)} {unit}"
