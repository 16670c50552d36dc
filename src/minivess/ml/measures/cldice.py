"""Topology of tubular masks: centreline Dice (Shit, Paetzold, Sekuboyina et al., clDice, CVPR 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import Mask, crop_pair, mask_pair
from minivess.records.evaluation.evaluation import Conventions


def compute(pair: CasePair, conventions: Conventions) -> float:
    """`cldice` of a case; the conventions have no influence."""
    return cldice(pair.prediction, pair.reference)


@implements("REQ-024")
def cldice(prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Centreline Dice: the harmonic mean of topology precision and topology sensitivity, in 0..1.

    Topology precision is the part of the prediction's skeleton inside the reference; topology sensitivity the part of
    the reference's skeleton inside the prediction. Skeletons are Lee's (Lee, Kashyap & Chu 1994), 26-connected.

    Conventions: 1 when both masks are empty, 0 when one is, and 0 (never NaN) when the masks are disjoint.

    Args:
        prediction: binary mask (z, y, x).
        reference: binary mask (z, y, x).

    Raises:
        InputError: the masks do not fit together or are not binary.
    """
    predicted, true = mask_pair(prediction, reference)
    if not predicted.any() and not true.any():
        return 1.0
    if not (predicted & true).any():
        return 0.0
    predicted, true = crop_pair(predicted, true)
    precision = _share_inside(skeleton(predicted), true)
    sensitivity = _share_inside(skeleton(true), predicted)
    if precision + sensitivity == 0:
        return 0.0
    return 2.0 * precision * sensitivity / (precision + sensitivity)


def skeleton(mask: Mask) -> Mask:
    """Lee's medial-axis thinning of a binary mask (z, y, x), one voxel wide."""
    thinned: Mask = skeletonize(mask, method="lee").astype(np.bool_)
    return thinned


def _share_inside(line: Mask, mask: Mask) -> float:
    length = np.count_nonzero(line)
    return np.count_nonzero(line & mask) / length if length else 0.0
