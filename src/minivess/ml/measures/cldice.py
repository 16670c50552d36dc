"""Topology of tubular masks: centreline Dice (Shit, Paetzold, Sekuboyina et al., clDice, CVPR 2021)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.mask_pairs import Mask, crop_pair, mask_pair
from minivess.ml.measures.thinning import components, thin
from minivess.records.evaluation.counts import CentrelineCounts
from minivess.records.evaluation.evaluation import SKELETON, SKELETON_BEFORE, Conventions

METHODS = {2: "zhang", 3: "lee"}
"""The thinning of scikit-image, by the number of axes."""


def count(pair: CasePair, conventions: Conventions) -> CentrelineCounts:
    """The counts of `cldice` in a case, by the rule of the skeleton that the conventions name.

    Raises:
        UsageError: there is no such rule.
    """
    rule = choose(RULES, conventions.skeleton, what="rule of the skeleton")
    return _counted(pair.prediction, pair.reference, rule)


@implements("REQ-024")
def cldice(prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Centreline Dice: the harmonic mean of topology precision and topology sensitivity, in 0..1.

    Topology precision is the part of the prediction's skeleton inside the reference; topology sensitivity the part of
    the reference's skeleton inside the prediction. `skeleton` gives both skeletons.

    Conventions: 1 when both masks are empty, 0 when one is, and 0 (never NaN) when the masks are disjoint.

    Args:
        prediction: binary mask (z, y, x) or (y, x).
        reference: binary mask of the same shape.

    Raises:
        InputError: the masks do not fit together or are not binary.
    """
    return _counted(*mask_pair(prediction, reference)).measure


@implements("REQ-237")
def skeleton(mask: Mask) -> Mask:
    """The skeleton of a binary mask (z, y, x) or of a plane (y, x), one voxel wide, with a part in every component.

    It is the thinning of the reference implementation of clDice, from scikit-image: in a volume Lee's (Lee, Kashyap & Chu,
    CVGIP 56, 1994), in a plane Zhang's (Zhang & Suen, CACM 27, 1984). Lee's can remove a component of even width wholly,
    because scikit-image also deletes the last voxel that is left. The skeleton of a removed component is `thinning.thin`
    instead. So the skeleton has a voxel in each 26-connected component (8-connected in a plane), each of its voxels is in
    the mask, and it is empty only if the mask is.
    """
    thinned: Mask = skeletonize(mask, method=METHODS[mask.ndim]).astype(np.bool_)
    labels, count = components(mask)
    missing = np.ones(count + 1, np.bool_)
    missing[labels[thinned]] = missing[0] = False
    if not missing.any():
        return thinned
    removed = missing[labels]
    solid = removed if mask.ndim == 3 else removed[np.newaxis]
    return thinned | thin(solid).reshape(mask.shape)


def skeleton_before(mask: Mask) -> Mask:
    """The thinning alone; a mask that it removes wholly is its own skeleton. The rule of plans of before."""
    thinned: Mask = skeletonize(mask, method=METHODS[mask.ndim]).astype(np.bool_)
    return thinned if thinned.any() else mask


RULES: Mapping[str, Callable[[Mask], Mask]] = {SKELETON: skeleton, SKELETON_BEFORE: skeleton_before}
"""The rules of the skeleton, by the words of the conventions."""


def _counted(prediction: Mask, reference: Mask, rule: Callable[[Mask], Mask] = skeleton) -> CentrelineCounts:
    predicted, true = crop_pair(prediction, reference)
    predicted_line, true_line = rule(predicted), rule(true)
    return CentrelineCounts(
        predicted_inside=int(np.count_nonzero(predicted_line & true)),
        predicted=int(np.count_nonzero(predicted_line)),
        reference_inside=int(np.count_nonzero(true_line & predicted)),
        reference=int(np.count_nonzero(true_line)),
    )
