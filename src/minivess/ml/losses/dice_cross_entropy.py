"""Dice plus binary cross-entropy."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def dice_and_cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Soft Dice loss over the whole batch (Milletari et al. 2016, with plain sums) plus mean binary cross-entropy.

    Args:
        logits: (n, 1, z, y, x).
        labels: 0 or 1, same shape, floating point.
    """
    probability = torch.sigmoid(logits)
    overlap = (probability * labels).sum()
    dice = (2 * overlap + 1) / (probability.sum() + labels.sum() + 1)
    return 1 - dice + binary_cross_entropy_with_logits(logits, labels)
