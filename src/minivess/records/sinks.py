"""Where the outside world begins: protocols that wings implement and workflows hand to one another."""

from __future__ import annotations

from typing import Protocol


class RunListener(Protocol):
    """Hears about a training run while it goes on. MLflow is one listener; tests use a list."""

    def started(self, name: str, parameters: dict[str, str | int | float]) -> str:
        """A run begins; returns its id in the sink."""

    def step(self, step: int, loss: float, learning_rate: float) -> None:
        """One optimiser step was made."""

    def finished(self, metrics: dict[str, float]) -> None:
        """The run ended well."""

    def failed(self) -> None:
        """The run ended badly."""


class Progress(Protocol):
    """Hears how far long work has come. `total` of 0 means unknown."""

    def __call__(self, label: str, done: int, total: int) -> None: ...
