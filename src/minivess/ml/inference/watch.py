"""What is known of the work on one image while it is done: time by stage, and progress by tile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minivess.foundation.implements import implements
from minivess.records.log.stage_times import Stage, StageTimes


@implements("REQ-430")
class Watch:
    """Measures the stages of one request. One thread at a time adds to it; others may read.

    Args:
        elapsed: seconds that never run backwards.
    """

    def __init__(self, elapsed: Callable[[], float] = time.perf_counter) -> None:
        self._elapsed = elapsed
        self._seconds: dict[Stage, float] = {}

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Add the time of a block to a stage, also where the block fails."""
        begun = self._elapsed()
        try:
            yield
        finally:
            self.add(stage, self._elapsed() - begun)

    def add(self, stage: Stage, seconds: float) -> None:
        """Add time to a stage."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def move(self, seconds: float, *, of: Stage, to: Stage) -> None:
        """Count time that lies inside a stage to another one."""
        self.add(of, -seconds)
        self.add(to, seconds)

    @property
    def times(self) -> StageTimes:
        """What was measured so far."""
        return StageTimes(**{stage.value: max(0.0, round(taken, 6)) for stage, taken in self._seconds.copy().items()})

    def tiles(self, done: int, total: int) -> None:
        """So many tiles of the image are done. What this raises ends the work."""
