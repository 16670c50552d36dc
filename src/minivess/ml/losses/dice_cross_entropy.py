"""Dice plus cross-entropy."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot


def dice_and_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss over the whole batch (Milletari et al. 2016, with plain sums) plus mean cross-entropy.

    Of several classes, the Dice is the mean over those that the batch has, without the background.

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
    """
    if logits.shape[1] == 1:
        return 1 - _dice(logits.sigmoid(), labels) + binary_cross_entropy_with_logits(logits, labels)
    target = labels[:, 0].long()
    probabilities = logits.softmax(dim=1)
    truths = one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype)
    drawn = [number for number in range(1, logits.shape[1]) if bool(truths[:, number].any())]
    dices = [_dice(probabilities[:, number], truths[:, number]) for number in drawn]
    entropy = cross_entropy(logits, target)
    return entropy if not dices else 1 - torch.stack(dices).mean() + entropy


def _dice(probability: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    overlap = (probability * truth).sum()
    return (2 * overlap + 1) / (probability.sum() + truth.sum() + 1)
