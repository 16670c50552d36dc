"""Topology of tubular masks: centreline Dice (Shit, Paetzold, Sekuboyina et al., clDice, CVPR 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import Mask, crop_pair, mask_pair
from minivess.records.evaluation.counts import CentrelineCounts
from minivess.records.evaluation.evaluation import Conventions


def count(pair: CasePair, conventions: Conventions) -> CentrelineCounts:
    """The counts of `cldice` in a case; the conventions have no influence."""
    return _counted(pair.prediction, pair.reference)


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
    return _counted(*mask_pair(prediction, reference)).measure


def skeleton(mask: Mask) -> Mask:
    """Lee's medial-axis thinning of a binary mask (z, y, x), one voxel wide.

    Thinning can remove the last voxel of a mask that is an even number of voxels wide. Such a mask is its own skeleton, so
    the skeleton is empty only if the mask is.
    """
    thinned: Mask = skeletonize(mask, method="lee").astype(np.bool_)
    return thinned if thinned.any() else mask


def _counted(prediction: Mask, reference: Mask) -> CentrelineCounts:
    predicted, true = crop_pair(prediction, reference)
    predicted_line, true_line = skeleton(predicted), skeleton(true)
    return CentrelineCounts(
        predicted_inside=int(np.count_nonzero(predicted_line & true)),
        predicted=int(np.count_nonzero(predicted_line)),
        reference_inside=int(np.count_nonzero(true_line & predicted)),
        reference=int(np.count_nonzero(true_line)),
    )
