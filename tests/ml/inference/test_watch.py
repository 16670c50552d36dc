"""Stages are measured, also where they fail, and progress is told by tile."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.inference.tiling import sliding_window, tiles_of
from minivess.ml.inference.watch import Watch
from minivess.records.log.stage_times import Stage, StageTimes

pytestmark = pytest.mark.verifies("SU-164")


class Clock:
    """Goes on by what is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_stages_add_up_and_count_also_where_they_fail() -> None:
    clock = Clock()
    watch = Watch(clock)
    with watch.stage(Stage.READING):
        clock.now = 1.0
    with watch.stage(Stage.READING):
        clock.now = 1.5

    def fail() -> None:
        clock.now = 4.0
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"), watch.stage(Stage.INFERENCE):
        fail()
    assert watch.times == StageTimes(reading=1.5, inference=2.5)
    watch.move(0.5, of=Stage.INFERENCE, to=Stage.QUEUEING)
    assert watch.times == StageTimes(reading=1.5, queueing=0.5, inference=2.0)
    assert watch.times.total == 4.0
    assert watch.times.model_dump(mode="json") == {"reading": 1.5, "queueing": 0.5, "inference": 2.0}


@pytest.mark.parametrize("batch", [1, 3, 4])
def test_progress_is_told_after_each_call_and_ends_with_all_tiles(batch: int) -> None:
    told: list[tuple[int, int]] = []
    image = np.zeros((1, 8, 20, 20), np.float32)
    sliding_window(
        image, (8, 8, 8), lambda tiles: tiles, batch=batch, told=lambda done, total: told.append((done, total))
    )
    total = tiles_of((8, 20, 20), (8, 8, 8))
    assert total > batch
    assert told == [(min(done, total), total) for done in range(batch, total + batch, batch)]


def test_what_is_raised_on_progress_ends_the_work() -> None:
    class StoppedError(Exception):
        pass

    calls = []

    def forward(tiles: np.ndarray) -> np.ndarray:
        calls.append(len(tiles))
        return tiles

    def stop(done: int, total: int) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        sliding_window(np.zeros((1, 8, 20, 20), np.float32), (8, 8, 8), forward, batch=1, told=stop)
    assert calls == [1]
