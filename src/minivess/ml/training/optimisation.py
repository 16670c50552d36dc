"""Optimisers and the moving average of weights."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from minivess.ml.training.schedules import learning_rate, momentum
from minivess.records.models.training import TrainingSpec

_SGD_MOMENTUM = 0.99


def optimiser_of(training: TrainingSpec, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser that a training names."""
    if training.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=training.learning_rate,
            momentum=_SGD_MOMENTUM,
            nesterov=True,
            weight_decay=training.weight_decay,
        )
    return torch.optim.AdamW(parameters, lr=training.learning_rate, weight_decay=training.weight_decay)


def set_step(optimiser: torch.optim.Optimizer, training: TrainingSpec, step: int) -> float:
    """Give an optimiser the rate, and under the one-cycle schedule the momentum, of a step; returns the rate."""
    rate, calm = learning_rate(training, step), momentum(training, step)
    for group in optimiser.param_groups:
        group["lr"] = rate
        if calm is not None and "betas" in group:
            group["betas"] = (calm, group["betas"][1])
        elif calm is not None:
            group["momentum"] = calm
    return rate


class Average:
    """An exponential moving average of a network's weights (Polyak & Juditsky 1992).

    Its decay rises to the stated one: after step t it is at most (1 + t) / (10 + t), so that the first weights are forgotten.

    Args:
        network: whose weights are averaged.
        decay: from 0 up to but not including 1.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    def update(self, step: int) -> None:
        """Take the weights after a step into the average; whole numbers are copied."""
        decay = min(self._decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, value in self._network.state_dict().items():
                mean = self.state[name]
                if mean.is_floating_point():
                    mean.lerp_(value.to(mean.dtype), 1 - decay)
                else:
                    mean.copy_(value)
