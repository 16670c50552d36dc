"""Counts of probabilities from which their scores follow: Brier score, log likelihood, calibration, precision and recall."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.records.evaluation.counted.counts import MILLION, BinCounts
from minivess.records.evaluation.counted.scores import FINE_BINS, LEAST_LIKELY, ScoreCounts

_CHUNK = 1 << 20
"""Voxels that are looked at together, so that the memory in use does not grow with the volume."""


@implements("REQ-382")
def count_scores(probabilities: NDArray[Any], reference: NDArray[Any]) -> ScoreCounts:
    """Sums and fine bins of the probabilities of voxels.

    Args:
        probabilities: of the foreground, in 0..1, of any shape.
        reference: whether each voxel is foreground, boolean, of the same shape.
    """
    values, true = probabilities.reshape(-1), reference.reshape(-1)
    bins, brier, nll = np.zeros((3, FINE_BINS)), 0.0, 0.0
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK].astype(np.float64)
        positive = true[start : start + _CHUNK]
        places = np.minimum((chunk * FINE_BINS).astype(np.intp), FINE_BINS - 1)
        bins[0] += np.bincount(places, minlength=FINE_BINS)
        bins[1] += np.bincount(places, weights=chunk, minlength=FINE_BINS)
        bins[2] += np.bincount(places[positive], minlength=FINE_BINS)
        likely = np.where(positive, chunk, 1 - chunk)
        brier += float(np.square(1 - likely).sum())
        nll -= float(np.log(np.maximum(likely, LEAST_LIKELY)).sum())
    rows = zip(*bins.tolist(), strict=True)
    return ScoreCounts(
        brier=round(brier * MILLION),
        nll=round(nll * MILLION),
        bins=tuple(BinCounts(int(voxels), round(total * MILLION), int(found)) for voxels, total, found in rows),
    )
