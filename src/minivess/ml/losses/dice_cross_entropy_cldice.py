"""Dice, cross-entropy and soft clDice."""

from __future__ import annotations

import torch

from minivess.ml.losses.cldice import cldice_terms
from minivess.ml.losses.entropy import cross_entropy
from minivess.ml.losses.loss import Weights, class_maps, mean_of_classes
from minivess.ml.losses.overlap import dice_terms


def dice_cross_entropy_and_cldice(logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor:
    """1 - soft Dice, plus mean cross-entropy, plus 1 - soft clDice (Shit et al. 2021, arXiv 2003.07311).

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
        weights: one a class; the background has 1.
    """
    maps = class_maps(logits, labels)
    return mean_of_classes(dice_terms(maps) + cldice_terms(maps), weights) + cross_entropy(logits, labels, weights)
