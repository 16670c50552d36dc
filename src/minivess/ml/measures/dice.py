"""Overlap of two masks: the Dice similarity coefficient.

Dice, Ecology 1945; Maier-Hein, Reinke et al., Metrics Reloaded, Nature Methods 2024.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import mask_pair
from minivess.records.evaluation.counted.counts import OverlapCounts
from minivess.records.evaluation.evaluation import Conventions


def count(pair: CasePair, conventions: Conventions) -> OverlapCounts:
    """The counts of `dice` in a case; the conventions have no influence."""
    return overlap(pair.prediction, pair.reference)


@implements("REQ-024")
def dice(prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Dice similarity coefficient, 2|P ∩ R| / (|P| + |R|), in 0..1.

    Convention: 1 when both masks are empty, 0 when one is.

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.

    Raises:
        InputError: the masks do not fit together or are not binary.
    """
    return overlap(prediction, reference).measure


def overlap(prediction: NDArray[Any], reference: NDArray[Any]) -> OverlapCounts:
    """Voxels of two binary masks of one shape: in both, in the prediction alone, in the reference alone.

    Raises:
        InputError: the masks do not fit together or are not binary.
    """
    predicted, true = mask_pair(prediction, reference)
    both = int(np.count_nonzero(predicted & true))
    return OverlapCounts(tp=both, fp=int(np.count_nonzero(predicted)) - both, fn=int(np.count_nonzero(true)) - both)
