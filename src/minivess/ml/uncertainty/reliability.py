"""Reliability of probabilities: binned confidence against frequency, and the expected calibration error.

Naeini, Cooper & Hauskrecht 2015 (ECE); Guo et al. 2017 (reliability diagrams). Most voxels of a volume are easy
background, which hides miscalibration where it matters, so a band along the reference's border is looked at too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from minivess.records.evaluation.counted.counts import BINS, MILLION, BinCounts

_CHUNK = 1 << 20
"""Voxels that are looked at together, so that the memory in use does not grow with the volume."""
BAND_VOXELS = 2
"""Half-width of the border band, in face steps."""


def border_band(reference: NDArray[Any], width: int = BAND_VOXELS) -> NDArray[np.bool_]:
    """Voxels (z, y, x) or (y, x) within `width` face steps of the reference's border voxels; empty when the reference is.

    Border voxels are foreground voxels with background behind one of their faces (edges in a plane); beyond the image is
    background.
    """
    from scipy import ndimage

    mask = np.asarray(reference, dtype=np.bool_)
    edge: NDArray[np.bool_] = mask & ~ndimage.binary_erosion(mask)
    if not edge.any():
        return edge
    band: NDArray[np.bool_] = ndimage.binary_dilation(edge, iterations=width)
    return band


@dataclass(frozen=True)
class ReliabilityBin:
    """A bin of a reliability diagram: probabilities from `lower` to `upper`, their mean, and the share come true."""

    lower: float
    upper: float
    count: int
    confidence: float
    frequency: float


@dataclass
class Reliability:
    """Bins of equal width over the foreground probability, filled case by case.

    `counts`, `confidence` and `positives` hold, for each bin, the voxels, the sum of their probabilities and how many
    of them are foreground in the reference. A weighted voxel counts as many times as its weight says.
    """

    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    confidence: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    positives: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))

    def add(
        self, probabilities: NDArray[Any], reference: NDArray[Any], weights: NDArray[np.float64] | None = None
    ) -> None:
        """Count voxels: foreground probabilities in 0..1, their reference (0 or 1) and weights (1 each), of one shape."""
        values, true = probabilities.reshape(-1), reference.reshape(-1)
        times = None if weights is None else weights.reshape(-1)
        for start in range(0, values.size, _CHUNK):
            some = slice(start, start + _CHUNK)
            self._add(values[some].astype(np.float64), true[some], None if times is None else times[some])

    def _add(self, values: NDArray[np.float64], reference: NDArray[Any], weights: NDArray[np.float64] | None) -> None:
        bins = np.minimum((values * BINS).astype(np.intp), BINS - 1)
        times = np.float64(1) if weights is None else weights
        self.counts += np.bincount(bins, weights=weights, minlength=BINS)
        self.confidence += np.bincount(bins, weights=values * times, minlength=BINS)
        self.positives += np.bincount(bins, weights=reference * times, minlength=BINS)

    @classmethod
    def of(cls, rows: Sequence[BinCounts]) -> Self:
        """The bins of a record."""
        counts, confidence, positives = np.array(rows, np.float64).T
        return cls(counts, confidence / MILLION, positives)

    def include(self, other: Reliability) -> None:
        """Add the voxels of another one."""
        self.counts += other.counts
        self.confidence += other.confidence
        self.positives += other.positives

    @property
    def rows(self) -> tuple[BinCounts, ...]:
        """Every bin in whole numbers, in order of probability."""
        return tuple(
            BinCounts(voxels=int(count), probability=round(confidence * MILLION), positives=int(positives))
            for count, confidence, positives in zip(
                self.counts.tolist(), self.confidence.tolist(), self.positives.tolist(), strict=True
            )
        )

    @property
    def ece(self) -> float:
        """Expected calibration error: the gap between confidence and frequency, averaged over voxels; 0 if empty."""
        total = self.counts.sum()
        return float(np.abs(self.confidence - self.positives).sum() / total) if total else 0.0

    @property
    def bins(self) -> tuple[ReliabilityBin, ...]:
        """The bins that hold voxels, in order of probability."""
        return tuple(
            ReliabilityBin(
                lower=index / BINS,
                upper=(index + 1) / BINS,
                count=int(count),
                confidence=float(self.confidence[index] / count),
                frequency=float(self.positives[index] / count),
            )
            for index, count in enumerate(self.counts)
            if count
        )
