"""Soft clDice."""

from __future__ import annotations

import torch

from minivess.ml.losses.loss import ClassMaps, Weights, axes_of_a_class, class_maps, mean_of_classes
from minivess.ml.losses.overlap import dice_terms, where_present
from minivess.ml.losses.soft_skeleton import erosions_of, soft_skeleton

SHARE = 0.5
"""Of clDice in the loss; Dice has the rest."""


def cldice(logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor:
    """Half 1 - soft Dice and half 1 - soft clDice, over the batch (Shit et al. 2021, arXiv 2003.07311), from 0 to 1.

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
        weights: one a class; the background has 1.
    """
    maps = class_maps(logits, labels)
    return mean_of_classes((1 - SHARE) * dice_terms(maps) + SHARE * cldice_terms(maps), weights)


def cldice_terms(maps: ClassMaps) -> torch.Tensor:
    """1 - soft clDice of each class over the batch, from 0 to 1: (classes,).

    The harmonic mean of two shares: how much of the predicted skeleton lies in the truth, and how much of the true skeleton
    in the prediction. One voxel is added to each, so that a prediction without a skeleton has a gradient.
    """
    probabilities, truths = maps
    axes, erosions = axes_of_a_class(truths), erosions_of(truths)
    predicted, true = soft_skeleton(probabilities, erosions), soft_skeleton(truths, erosions)
    precision = ((predicted * truths).sum(axes) + 1) / (predicted.sum(axes) + 1)
    sensitivity = ((true * probabilities).sum(axes) + 1) / (true.sum(axes) + 1)
    return where_present(1 - 2 * precision * sensitivity / (precision + sensitivity), maps)
