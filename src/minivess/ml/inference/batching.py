"""Patches of several requests that go through a graph together.

Requests that are under way at the same time are joined. The first of a batch waits for a limited time, and not at all where it is
alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.inference.watch import Watch
from minivess.records.log.stage_times import Stage

Patches = NDArray[np.float32]
Run = Callable[[tuple[str, ...], Patches], list[Patches]]
"""Gives the named outputs of patches (n, channels, *patch), each (n, …)."""


class BatchCut(StrEnum):
    """Why a batch was run with the patches that it had."""

    FULL = "full"
    """It had as many as it may have."""
    TIME = "time"
    """The first request had waited long enough."""
    SHAPE = "shape"
    """The next request wants other outputs."""
    DRAINED = "drained"
    """No other request is under way that could join it."""


@dataclass(eq=False)
class _Waiting:
    """The patches of one request, until they have their outputs."""

    names: tuple[str, ...]
    patches: Patches
    since: float
    waited: float = 0.0
    found: list[Patches] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        return bool(self.found) or self.error is not None


@implements("REQ-439")
class Batching:
    """Joins the patches of requests. Used from the threads of the requests.

    Args:
        run: runs the graph; one batch at a time.
        most: patches in a batch.
        seconds: that the first request of a batch waits, at most.
        cut: is notified of each batch: its requests, and why it was run.
        elapsed: seconds that never run backwards.
    """

    def __init__(
        self,
        run: Run,
        *,
        most: int,
        seconds: float = 0.005,
        cut: Callable[[int, BatchCut], None],
        elapsed: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._run, self._most, self._seconds, self._cut, self._elapsed = run, most, seconds, cut, elapsed
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._under_way = 0
        self._running = False
        self._mine = threading.local()

    @contextmanager
    def joining(self, watch: Watch) -> Iterator[None]:
        """Say that a request is under way whose patches may join others; its waiting counts as queueing."""
        with self._changed:
            self._under_way += 1
        self._mine.watch = watch
        try:
            yield
        finally:
            del self._mine.watch
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def run(self, names: tuple[str, ...], patches: Patches) -> list[Patches]:
        """The named outputs of patches, which may go through the graph with those of other requests.

        Raises:
            Exception: what the graph raised, for each request of the batch.
        """
        mine = _Waiting(names, patches, self._elapsed())
        with self._changed:
            self._waiting.append(mine)
            self._changed.notify_all()
            while not mine.over:
                leads = not self._running and bool(self._waiting) and self._waiting[0] is mine
                cut = self._why() if leads else None
                if cut is not None:
                    self._go(cut)
                    continue
                left = max(0.0, mine.since + self._seconds - self._elapsed()) if leads else None
                self._changed.wait(left)
        watch: Watch | None = getattr(self._mine, "watch", None)
        if watch is not None:
            watch.move(mine.waited, of=Stage.INFERENCE, to=Stage.QUEUEING)
        if mine.error is not None:
            raise mine.error
        return mine.found

    def _joined(self) -> list[_Waiting]:
        """The requests that would be in a batch now: from the oldest one on, with the same outputs, while there is room."""
        first, size = self._waiting[0], 0
        joined: list[_Waiting] = []
        for one in self._waiting:
            if joined and (one.names != first.names or size + len(one.patches) > self._most):
                break
            joined.append(one)
            size += len(one.patches)
        return joined

    def _why(self) -> BatchCut | None:
        """Why the batch is to be run now; None: it waits for others."""
        joined = self._joined()
        rest = self._waiting[len(joined) :]
        if rest and rest[0].names != joined[0].names:
            return BatchCut.SHAPE
        if rest or sum(len(one.patches) for one in joined) >= self._most:
            return BatchCut.FULL
        if len(self._waiting) >= self._under_way:
            return BatchCut.DRAINED
        return BatchCut.TIME if self._elapsed() - joined[0].since >= self._seconds else None

    def _go(self, cut: BatchCut) -> None:
        """Run the batch; others gather while the graph runs. Called with the condition held."""
        batch, begun = self._joined(), self._elapsed()
        del self._waiting[: len(batch)]
        self._running = True
        self._changed.release()
        try:
            found = self._run(batch[0].names, np.concatenate([one.patches for one in batch]))
            ends = np.cumsum([len(one.patches) for one in batch])[:-1]
            parts = [np.split(one, ends) for one in found]
            error: BaseException | None = None
        except BaseException as raised:
            parts, error = [], raised
        finally:
            self._changed.acquire()
            self._running = False
        for number, one in enumerate(batch):
            one.found, one.error = [part[number] for part in parts], error
            one.waited = begun - one.since
        self._changed.notify_all()
        self._cut(len(batch), cut)
