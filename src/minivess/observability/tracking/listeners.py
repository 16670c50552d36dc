"""Several listeners of one training run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements
from minivess.records.models.training_event import Phase
from minivess.records.models.training_run import Beat
from minivess.records.sinks import RunListener

_log = logging.getLogger(__name__)


@implements("REQ-362")
class Listeners:
    """Hands on what it hears to several `records.sinks.RunListener`.

    A run does not begin when one of them is out of reach. Once it has begun it goes on without those that fail, each with one
    warning: hours of training are not lost because the server of a tracker stops. Such a listener hears of the end again.

    Args:
        listeners: in order; the first that gives a run an id names it.
    """

    def __init__(self, listeners: Sequence[RunListener]) -> None:
        self._listeners = tuple(listeners)
        self._silent: set[int] = set()

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """A run begins; returns the first id that a listener gives it.

        Raises:
            CouldNotCheckError: a listener is out of reach; those that had begun have heard that the run failed.
        """
        self._silent.clear()
        identifier = ""
        for place, listener in enumerate(self._listeners):
            try:
                identifier = listener.started(name, parameters, resumes) or identifier
            except BaseException:
                for earlier in self._listeners[:place]:
                    earlier.failed()
                raise
        return identifier

    def phase(self, phase: Phase) -> None:
        """The run begins a phase."""
        self._tell(lambda one: one.phase(phase))

    def beat(self, beat: Beat) -> None:
        """One optimiser step was made."""
        self._tell(lambda one: one.beat(beat))

    def artifact(self, path: Path) -> None:
        """The run has made a file."""
        self._tell(lambda one: one.artifact(path))

    def finished(self, metrics: dict[str, float]) -> None:
        """The run ended well."""
        self._silent.clear()
        self._tell(lambda one: one.finished(metrics))

    def failed(self) -> None:
        """The run ended badly."""
        self._silent.clear()
        self._tell(lambda one: one.failed())

    def _tell(self, say: Callable[[RunListener], None]) -> None:
        for place, listener in enumerate(self._listeners):
            if place in self._silent:
                continue
            try:
                say(listener)
            except CouldNotCheckError as error:
                self._silent.add(place)
                _log.warning("training goes on without one of its listeners: %s", error.message)
