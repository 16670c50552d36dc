"""Topology of tubular masks: centreline Dice (Shit, Paetzold, Sekuboyina et al., clDice, CVPR 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import mask_pair
from minivess.records.evaluation.counted.counts import CentrelineCounts
from minivess.records.evaluation.evaluation import SKELETON, Conventions


def count(pair: CasePair, conventions: Conventions) -> CentrelineCounts:
    """The counts of `cldice` in a case, by the rule of the skeleton that the conventions name.

    Raises:
        UsageError: there is no such rule.
    """
    return _counted(pair, conventions.skeleton)


@implements("REQ-024")
def cldice(prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Centreline Dice: the harmonic mean of topology precision and topology sensitivity, in 0..1.

    Topology precision is the part of the prediction's skeleton inside the reference; topology sensitivity the part of
    the reference's skeleton inside the prediction. `shapes.skeletons.skeleton` gives both skeletons.

    Conventions: 1 when both masks are empty, 0 when one is, and 0 (never NaN) when the masks are disjoint.

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.

    Raises:
        InputError: the masks do not fit together or are not binary.
    """
    predicted, true = mask_pair(prediction, reference)
    return _counted(CasePair(predicted, true, (1.0,) * predicted.ndim), SKELETON).measure


def _counted(pair: CasePair, rule: str) -> CentrelineCounts:
    predicted, true = pair.cropped
    predicted_line, true_line = pair.skeletons(rule)
    return CentrelineCounts(
        predicted_inside=int(np.count_nonzero(predicted_line & true)),
        predicted=int(np.count_nonzero(predicted_line)),
        reference_inside=int(np.count_nonzero(true_line & predicted)),
        reference=int(np.count_nonzero(true_line)),
    )
