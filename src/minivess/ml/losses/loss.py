"""What a loss is, and what all losses see: probabilities and truths of each class, in single precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch

from minivess.ml.losses.class_weights import checked

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits (n, outputs, *patch) and labels (n, 1, *patch), which are indices of outputs as floating point (0 or 1 for one
class) -> a scalar with a gradient, in single precision."""

Weights = tuple[float, ...] | None
"""One weight a class; the background has 1. None: each class has 1."""


class WeightedLoss(Protocol):
    """A loss with the weights of the classes."""

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor: ...


class ClassMaps(NamedTuple):
    """Probability and truth of each class but the background, both (n, classes, *patch) in single precision."""

    probabilities: torch.Tensor
    truths: torch.Tensor


def class_maps(logits: torch.Tensor, labels: torch.Tensor) -> ClassMaps:
    """The maps of logits (n, outputs, *patch) and labels (n, 1, *patch) of indices."""
    single, truths = logits.float(), class_truths(labels, logits.shape[1])
    return ClassMaps(single.sigmoid() if logits.shape[1] == 1 else single.softmax(dim=1)[:, 1:], truths)


def class_truths(labels: torch.Tensor, outputs: int) -> torch.Tensor:
    """1 where a class is, else 0: (n, classes, *patch), without the background."""
    return torch.cat([labels == number for number in range(1, max(outputs, 2))], dim=1).float()


def axes_of_a_class(maps: torch.Tensor) -> tuple[int, ...]:
    """All axes of maps (n, classes, *patch) but that of the classes."""
    return tuple(axis for axis in range(maps.ndim) if axis != 1)


def mean_of_classes(terms: torch.Tensor, weights: Weights) -> torch.Tensor:
    """The mean of one term a class (classes,), by the weights.

    Raises:
        UsageError: there is not one weight a class.
    """
    if weights is None:
        return terms.mean()
    shares = terms.new_tensor(checked(weights, len(terms)))
    return (shares * terms).sum() / shares.sum()
