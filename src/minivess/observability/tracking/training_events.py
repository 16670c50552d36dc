"""The events of a training run: made of what a listener hears, thinned, and written to a file that others follow.

A file of events is read while it grows, by `minivess train --watch`. Each line is written with one call, so that a process
that is killed leaves whole lines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import CannotWriteError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.records.models.training_event import EVENTS, Phase, TrainingEvent
from minivess.records.models.training_run import Beat

EventSink = Callable[[TrainingEvent], None]

_EVERY_S = 1.0
"""Seconds from one step that is reported to the next."""
_AT_MOST = 10_000
"""Steps of a run that are reported, besides validations."""
_BLOCK = 1 << 16


@implements("REQ-359")
class EventListener:
    """A `records.sinks.RunListener` that hands on what it hears as events.

    A step is handed on when the last one was a second ago, when it was validated, and when it is the last. Of a long run at
    most 10,000 steps are handed on, besides validations. The figures of single cases are left out: `curves.json` has them.

    Args:
        sinks: what takes the events, in order.
        clock: tells the time of an event.
        seconds: tells how much time has passed.
    """

    def __init__(
        self, sinks: Sequence[EventSink], *, clock: Clock = utc_now, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._sinks = tuple(sinks)
        self._clock = clock
        self._seconds = seconds
        self._run = ""
        self._last_step = 0
        self._last_time = 0.0

    def started(self, name: str, parameters: dict[str, str | int | float], resumes: str | None = None) -> str:
        """Report that a run begins or goes on; it gets no id."""
        self._run, self._last_step, self._last_time = name, 0, float("-inf")
        self._report("started" if resumes is None else "resumed")
        return ""

    def phase(self, phase: Phase) -> None:
        """Report that preparing begins; the other phases take turns, and are seen by the steps."""
        if phase == "prepare":
            self._report("phase", phase=phase)

    def beat(self, beat: Beat) -> None:
        """Report a step, if it is time for one."""
        now = self._seconds()
        due = now - self._last_time >= _EVERY_S and beat.step - self._last_step >= beat.steps / _AT_MOST
        if not due and beat.validation is None and beat.step < beat.steps:
            return
        self._last_step, self._last_time = beat.step, now
        if beat.validation is not None and beat.validation.cases:
            beat = beat.model_copy(update={"validation": beat.validation.model_copy(update={"cases": ()})})
        self._report("step", beat=beat)

    def artifact(self, path: Path) -> None:
        """Files are no events."""

    def finished(self, metrics: dict[str, float]) -> None:
        """Report a good end with its figures."""
        self._report("finished", figures=metrics)

    def failed(self) -> None:
        """Report a bad end."""
        if self._run:
            self._report("failed")

    def _report(self, event: str, **more: Any) -> None:
        made = TrainingEvent(event=event, time=self._clock(), run=self._run, **more)
        for sink in self._sinks:
            sink(made)


@implements("REQ-359")
class EventFile:
    """Writes events to `events.jsonl` in the folder of a member; a later part of a run goes on with the file.

    Args:
        folder: of the member.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._descriptor: int | None = None

    def __call__(self, event: TrainingEvent) -> None:
        """Write one line.

        Raises:
            CannotWriteError: the disk is full, read-only or out of reach.
        """
        try:
            if self._descriptor is None or event.event in {"started", "resumed"}:
                self._open(anew=event.event == "started")
            assert self._descriptor is not None  # noqa: S101  it was opened
            os.write(self._descriptor, event.line().encode("utf-8"))
            if event.over:
                self._close()
        except OSError as error:
            raise CannotWriteError(f"cannot write {self._path.name}: {error.strerror or error}") from error

    def _open(self, *, anew: bool) -> None:
        self._close()
        make_folder(self._path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_TRUNC if anew else 0)
        self._descriptor = os.open(self._path, flags, 0o644)
        os.ftruncate(self._descriptor, _whole(self._descriptor))

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _whole(descriptor: int) -> int:
    """How many bytes of a file are whole lines: a full disk may have cut the last one."""
    end = os.fstat(descriptor).st_size
    while end:
        begin = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
