"""Cases and plain loops that the measurements of training share."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from minivess.ml.sampling.case_store import CaseStore, TrainingCase, store_cases
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import Beat
from minivess.records.sinks import RunListener

PATCH, BATCH = (32, 64, 64), 2
SPEC = SegResNetSpec(patch=PATCH, filters=8)
TASK, PREPROCESSING = ONE_CLASS_OF_VOLUMES, Preprocessing.of(ONE_CLASS_OF_VOLUMES)


def cases(count: int, shape: tuple[int, ...] = (48, 96, 96)) -> Iterator[TrainingCase]:
    """Noise with tubes in it, one case at a time."""
    for number in range(count):
        rng = np.random.default_rng([7, number])
        label = np.zeros(shape, np.uint8)
        for _ in range(6):
            row, column = rng.integers(2, shape[1] - 4), rng.integers(2, shape[2] - 4)
            label[:, row : row + 3, column : column + 3] = 1
        image = rng.normal(size=shape).astype(np.float32) + 2 * label
        yield TrainingCase(image, label, None, f"case-{number:04d}")
        del image, label


def store_of(folder: Path, count: int, shape: tuple[int, ...] = (48, 96, 96)) -> CaseStore:
    """A store of such cases."""
    return store_cases(cases(count, shape), folder, patch=PATCH, task=TASK, preprocessing=PREPROCESSING)


class Stopwatch:
    """A listener that notes when each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.waited = 0.0

    def started(self, *arguments: Any, **more: Any) -> str:
        """An id."""
        return "measured"

    def phase(self, phase: Any) -> None:
        """Nothing to note."""

    def beat(self, beat: Beat) -> None:
        """Note the time."""
        self.times.append(time.perf_counter())
        self.waited = beat.waited

    def artifact(self, path: Path) -> None:
        """Nothing to note."""

    def finished(self, metrics: dict[str, float]) -> None:
        """Nothing to note."""

    def failed(self) -> None:
        """Nothing to note."""


def trained(
    store: CaseStore, training: TrainingSpec, *, workers: int | None = None, watch: RunListener | None = None
) -> None:
    """Train a member of the store's cases, which is thrown away."""
    from minivess.ml.training.member import train_member

    with tempfile.TemporaryDirectory() as folder:
        train_member(
            store,
            SPEC,
            training,
            seed=0,
            out=Path(folder),
            task=TASK,
            preprocessing=PREPROCESSING,
            workers=workers,
            listener=watch,
        )


class Interval(NamedTuple):
    """A geometric mean and its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(ratios: Sequence[float]) -> Interval:
    """Geometric mean of ratios and its 95 % interval by Student's t."""
    logs = np.log(ratios)
    mean = float(logs.mean())
    half = float(stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def anonymous_memory(process: int) -> int:
    """Bytes of `RssAnon` of a process and all that it started."""
    total, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        try:
            status = Path(f"/proc/{number}/status").read_text(encoding="ascii")
            children = Path(f"/proc/{number}/task").glob("*/children")
            waiting += [int(one) for path in children for one in path.read_text(encoding="ascii").split()]
        except OSError:
            continue
        total += int((status.partition("RssAnon:")[2].split() or ["0"])[0]) << 10
    return total


def pin(threads: int) -> None:
    """Let PyTorch use so many threads."""
    import torch

    torch.set_num_threads(threads)
    print(f"threads of PyTorch: {threads}; processors: {len(os.sched_getaffinity(0))}", flush=True)
