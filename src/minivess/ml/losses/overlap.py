"""Losses of overlap, counted over the whole batch: soft Dice and Tversky."""

from __future__ import annotations

import torch

from minivess.foundation.implements import implements
from minivess.ml.losses.loss import ClassMaps, axes_of_a_class


def tversky_terms(maps: ClassMaps, *, false_positives: float, false_negatives: float) -> torch.Tensor:
    """1 - Tversky index (Salehi et al. 2017, arXiv 1706.05721) of each class over the batch, from 0 to 1: (classes,).

    Args:
        maps: probabilities and truths.
        false_positives: what a false positive counts; a true positive counts 1.
        false_negatives: what a false negative counts.
    """
    probabilities, truths = maps
    axes = axes_of_a_class(truths)
    hits = (probabilities * truths).sum(axes)
    wrong, missed = probabilities.sum(axes) - hits, truths.sum(axes) - hits
    counted = hits + false_positives * wrong + false_negatives * missed
    return where_present(1 - hits / counted.clamp_min(torch.finfo(counted.dtype).tiny), maps)


def dice_terms(maps: ClassMaps) -> torch.Tensor:
    """1 - soft Dice (Milletari et al. 2016, arXiv 1606.04797, with plain sums) of each class over the batch: (classes,)."""
    return tversky_terms(maps, false_positives=0.5, false_negatives=0.5)


@implements("REQ-351", "RC-146")
def where_present(terms: torch.Tensor, maps: ClassMaps) -> torch.Tensor:
    """The terms (classes,) of the classes that the batch has; of the others their mean probability.

    An overlap with nothing is 0 whatever is predicted, or has a gradient that vanishes with the number of voxels that are
    wrong. The mean probability goes from 0 to 1 too, and its gradient does not vanish.
    """
    axes = axes_of_a_class(maps.truths)
    return torch.where(maps.truths.amax(axes) > 0, terms, maps.probabilities.mean(axes))
