"""Logits, probabilities and masks of one class or several exclusive ones. NumPy alone.

One class has one output: its probability is the sigmoid, and the mask is what reaches a threshold. Several classes have an
output for the background and one for each class: their probabilities are the softmax, and the mask is the argmax.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.models.task import SegmentationTask

BLOCK = 1 << 17
"""Voxels that are worked on at a time where an intermediate result would be as large as the image."""
EPSILON = 1e-6
"""Probabilities are kept this far from 0 and 1 where they become logits, in NumPy and in the exported graph."""
LARGEST_LOGIT = math.log1p(-EPSILON) - math.log(EPSILON)
"""The logit of one class at `1 - EPSILON`."""


def to_logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logit of probabilities, clipped to `EPSILON` from 0 and 1."""
    clipped = np.clip(probability.astype(np.float32), np.float32(EPSILON), np.float32(1 - EPSILON))
    logit: NDArray[np.float32] = np.log(clipped) - np.log1p(-clipped)
    return logit


def to_probability(logit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logistic function, without overflow."""
    small = np.exp(-np.abs(logit))
    probability: NDArray[np.float32] = np.where(logit >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
    return probability


def logits_of(probabilities: NDArray[np.float32], *, axis: int = 0) -> NDArray[np.float32]:
    """Logits whose `probabilities_of` these are; `axis` is that of the outputs."""
    if probabilities.shape[axis] == 1:
        return to_logit(probabilities)
    logits: NDArray[np.float32] = np.log(np.maximum(probabilities.astype(np.float32), np.float32(EPSILON)))
    return logits


@implements("REQ-436")
def overwrite_by_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (outputs, *grid) that nobody else needs, made their probabilities in place, block by block; returns them."""
    for block in _blocks(logits.shape[1:]):
        logits[:, block] = probabilities_of(logits[:, block])
    return logits


def _blocks(grid: tuple[int, ...]) -> Iterator[slice]:
    """Parts of the first axis of a grid, of about `BLOCK` voxels each."""
    step = max(1, BLOCK * grid[0] // max(1, math.prod(grid)))
    return (slice(start, start + step) for start in range(0, grid[0], step))


def probabilities_of(logits: NDArray[np.float32], *, axis: int = 0) -> NDArray[np.float32]:
    """The sigmoid of one output, or the softmax over several; `axis` is that of the outputs."""
    if logits.shape[axis] == 1:
        return to_probability(logits)
    raised = np.exp(logits - logits.max(axis=axis, keepdims=True))
    probabilities: NDArray[np.float32] = (raised / raised.sum(axis=axis, keepdims=True)).astype(np.float32)
    return probabilities


def log_probabilities_of(logits: NDArray[np.float32], *, axis: int = 0) -> NDArray[np.float64]:
    """Logarithms of the probabilities of all outcomes, also where a probability is too near 1 for single precision.

    One class has two outcomes, its absence and its presence: then `axis` has length 2. Several outputs are the outcomes.
    """
    exact = logits.astype(np.float64)
    if logits.shape[axis] == 1:
        return np.concatenate([-np.logaddexp(0.0, exact), -np.logaddexp(0.0, -exact)], axis=axis)
    raised = exact - exact.max(axis=axis, keepdims=True)
    logarithms: NDArray[np.float64] = raised - np.log(np.exp(raised).sum(axis=axis, keepdims=True))
    return logarithms


def logits_of_log(logarithms: NDArray[np.float64], *, outputs: int, axis: int = 0) -> NDArray[np.float32]:
    """Logits from the logarithms of `log_probabilities_of`, no further out than those of probabilities at `EPSILON`."""
    if outputs == 1:
        absent, present = np.split(logarithms, 2, axis=axis)
        return np.clip(present - absent, -LARGEST_LOGIT, LARGEST_LOGIT).astype(np.float32)
    return np.maximum(logarithms, math.log(EPSILON)).astype(np.float32)


def class_probabilities(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of (outputs, *grid), the probability of each class without the background: (classes, *grid)."""
    return probabilities if probabilities.shape[0] == 1 else probabilities[1:]


@implements("REQ-336")
def mask_of(
    probabilities: NDArray[np.float32], task: SegmentationTask, *, threshold: float = MASK_THRESHOLD
) -> NDArray[np.uint8]:
    """The mask (*grid) with the values of the classes; 0 is background.

    Args:
        probabilities: calibrated, (outputs, *grid). Of equal ones the first counts, so that background comes before classes.
        task: its classes.
        threshold: of one class; what reaches it is in the mask.
    """
    values = np.array([0, *(one.value for one in task.classes)], np.uint8)
    mask = np.empty(probabilities.shape[1:], np.uint8)
    for block in _blocks(mask.shape):
        part = probabilities[:, block]
        chosen = (part[0] >= threshold).astype(np.intp) if task.one_class else part.argmax(axis=0)
        mask[block] = values[chosen]
    return mask


@implements("REQ-336")
def class_indices(mask: NDArray[np.generic], task: SegmentationTask) -> NDArray[np.uint8]:
    """A mask with the values of the classes as indices of outputs: 0 background, 1 the first class, and so on.

    One class takes every value but 0, as version 0.1.0 did.
    """
    if task.one_class:
        return np.asarray(np.asarray(mask) != 0, np.uint8)
    table = np.zeros(256, np.uint8)
    table[[one.value for one in task.classes]] = np.arange(1, len(task.classes) + 1)
    indices: NDArray[np.uint8] = table[np.asarray(mask, np.uint8)]
    return indices
