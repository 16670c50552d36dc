"""Where the outside world begins: protocols that wings implement and workflows hand to one another."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat


class RunListener(Protocol):
    """Hears about a training run while it goes on. MLflow, the file of events and the terminal are listeners."""

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """A run begins, or goes on after a break; returns its id in the sink.

        Args:
            name: of the run.
            parameters: what it is made with.
            resumes: the id that an earlier part of this run has in the sink.
        """

    def phase(self, phase: Phase) -> None:
        """The run begins a phase; the one before it is over."""

    def beat(self, beat: Beat) -> None:
        """One optimiser step was made."""

    def artifact(self, path: Path) -> None:
        """The run has made a file that belongs to it."""

    def finished(self, metrics: dict[str, float]) -> None:
        """The run ended well."""

    def failed(self) -> None:
        """The run ended badly."""


class Progress(Protocol):
    """Hears how far long work has come. `total` of 0 means unknown."""

    def __call__(self, label: str, done: int, total: int) -> None: ...
