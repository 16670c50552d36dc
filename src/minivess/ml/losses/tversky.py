"""Tversky loss."""

from __future__ import annotations

import torch

from minivess.ml.losses.loss import Weights, class_maps, mean_of_classes
from minivess.ml.losses.overlap import tversky_terms

FALSE_POSITIVES, FALSE_NEGATIVES = 0.3, 0.7
"""What the two kinds of wrong voxels count, as Salehi et al. found best for small lesions."""


def tversky(logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor:
    """1 - Tversky index over the batch (Salehi et al. 2017, arXiv 1706.05721), the mean of the classes, from 0 to 1.

    A missed voxel counts more than a false one.

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
        weights: one a class; the background has 1.
    """
    maps = class_maps(logits, labels)
    return mean_of_classes(
        tversky_terms(maps, false_positives=FALSE_POSITIVES, false_negatives=FALSE_NEGATIVES), weights
    )
