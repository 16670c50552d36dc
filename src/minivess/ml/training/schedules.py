"""Learning rate and momentum as functions of the step alone, so that a run can go on anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from minivess.foundation.implements import implements
from minivess.records.models.training import TrainingSpec

_RISE, _START, _END = 0.3, 1 / 25, 1e-4
"""One cycle: the share of steps in which the rate rises, its first value over the highest, its last over the first."""
_CALM, _FAST = 0.95, 0.85
"""One cycle: the momentum at the ends and at the highest learning rate."""
_FEWEST = 10
"""A cycle is at least so long, so that a run of a few steps does not end at a rate of almost nothing."""
_POWER = 0.9
"""Exponent of the polynomial decay (Chen et al. 2018, arXiv 1606.00915)."""


@implements("REQ-368")
def learning_rate(training: TrainingSpec, step: int) -> float:
    """The learning rate of a step, counted from 1."""
    warm = training.warm_up
    if step <= warm:
        return training.learning_rate * step / (warm + 1)
    return training.learning_rate * _SHAPES[training.schedule](step - 1 - warm, training.steps - warm)


def momentum(training: TrainingSpec, step: int) -> float | None:
    """The momentum (of AdamW, its first beta) of a step under the one-cycle schedule; None: it does not change."""
    return _cycle(step - 1, training.steps, (_CALM, _FAST, _CALM)) if training.schedule == "one-cycle" else None


def _cycle(done: int, steps: int, values: tuple[float, float, float]) -> float:
    """Along half cosines from the first value to the second and on to the third (Smith & Topin 2017, arXiv 1708.07120)."""
    last = max(steps, _FEWEST) - 1
    turn = _RISE * (last + 1) - 1
    start, end, share = (
        (values[0], values[1], done / turn) if done <= turn else (values[1], values[2], (done - turn) / (last - turn))
    )
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


_SHAPES: Mapping[str, Callable[[int, int], float]] = {
    "one-cycle": lambda done, steps: _cycle(done, steps, (_START, 1.0, _START * _END)),
    "polynomial": lambda done, steps: (1 - done / steps) ** _POWER,
    "cosine": lambda done, steps: (1 + math.cos(math.pi * done / steps)) / 2,
    "constant": lambda done, steps: 1.0,
}
"""Learning rate over its highest, by steps done and steps in all."""
