"""Dice plus cross-entropy."""

from __future__ import annotations

import torch

from minivess.ml.losses.entropy import cross_entropy
from minivess.ml.losses.loss import Weights, class_maps, mean_of_classes
from minivess.ml.losses.overlap import dice_terms


def dice_and_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor:
    """1 - soft Dice over the batch, the mean of the classes, plus mean cross-entropy.

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
        weights: one a class; the background has 1.
    """
    dice = mean_of_classes(dice_terms(class_maps(logits, labels)), weights)
    return dice + cross_entropy(logits, labels, weights)
