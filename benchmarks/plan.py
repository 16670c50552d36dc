"""Predicted and measured peak memory of training on a CPU, by family and size.

    python benchmarks/plan.py            all sizes, about five minutes
    python benchmarks/plan.py few        two sizes of each family
    python benchmarks/plan.py csv        all sizes, as lines of tests/ml/planning/measured_memory.csv

Each size trains two steps in a forked process. A thread reads `RssAnon` from /proc once a millisecond; what the imported
libraries take is subtracted. The exit code is 1 when a prediction is more than 25 % away.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minivess.ml.models.registry import adapter_of
from minivess.ml.planning.memory import training_memory
from minivess.records.data.dataset import LabelClass
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import Augmentation, TrainingSpec

WITHIN = 0.25


class Size(NamedTuple):
    """What is trained."""

    patch: tuple[int, ...]
    batch: int
    filters: int = 8
    levels: int = 3
    channels: int = 1
    classes: int = 1


SIZES = (
    Size((32, 64, 64), 2),
    Size((320, 320), 4, levels=5),
    Size((128, 128), 2),
    Size((256, 256), 8),
    Size((512, 512), 2, levels=6, channels=3),
    Size((40, 56, 40), 6, levels=4, classes=2),
    Size((32, 64, 64), 2, channels=3, classes=4),
    Size((32, 64, 64), 2, filters=4),
    Size((32, 64, 64), 2, filters=16),
    Size((32, 32, 32), 2, filters=32, levels=4),
    Size((16, 176, 176), 2),
    Size((64, 64, 64), 2),
)
FAMILIES = ("segresnet", "dynunet")


def main() -> int:
    """Measure and compare."""
    how = sys.argv[1] if len(sys.argv) > 1 else ""
    wrong = 0
    _import()
    for size in SIZES[:2] if how == "few" else SIZES:
        for family in FAMILIES:
            predicted, found = _predicted(family, size), measured(family, size)
            off = predicted / found - 1
            wrong += abs(off) > WITHIN
            if how == "csv":
                sides = "x".join(map(str, size.patch))
                print(family, sides, *size[1:], found, sep=",", flush=True)
            else:
                print(
                    f"{family:<10} {size!s:<92} {predicted / 1e6:6.0f} MB {found / 1e6:6.0f} MB {off:+6.0%}", flush=True
                )
    return int(wrong > 0)


def task_of(size: Size) -> SegmentationTask:
    """The task that a size is for."""
    classes = tuple(LabelClass(value=value, name=f"class {value}") for value in range(1, size.classes + 1))
    return SegmentationTask(channels=size.channels, axes="zyx" if len(size.patch) == 3 else "yx", classes=classes)


def measured(family: str, size: Size) -> int:
    """Bytes at the peak of two training steps."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(family, size, sender))
    process.start()
    sender.close()
    try:
        found: int = receiver.recv()
    finally:
        process.join()
    return found


def _predicted(family: str, size: Size) -> int:
    found = training_memory(_spec(family, size), task_of(size), size.batch)
    if found is None:
        raise SystemExit(f"the memory of {family} is not known")
    return found


def _spec(family: str, size: Size) -> Any:
    said = {"architecture": family, "patch": size.patch, "filters": size.filters, "levels": size.levels}
    return adapter_of(family).specification.model_validate(said)


def _import() -> None:
    """Load what training loads, so that each forked process has it."""
    import lightning_fabric  # noqa: F401
    import monai.networks.nets  # noqa: F401

    import minivess.ml.training.member  # noqa: F401


def _train(family: str, size: Size, sender: Any) -> None:
    from minivess.ml.sampling.case_store import TrainingCase, store_cases
    from minivess.ml.training.member import train_member
    from minivess.records.models.preprocessing import Preprocessing

    before, peak, done = _anonymous(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _anonymous())
            time.sleep(0.001)

    watcher = threading.Thread(target=watch)
    watcher.start()
    task, spec, rng = task_of(size), _spec(family, size), np.random.default_rng(0)
    channels = (size.channels,) if size.channels > 1 else ()
    label = np.zeros(size.patch, np.uint8)
    label[tuple(slice(2, 6) for _ in size.patch)] = 1
    case = TrainingCase(rng.random((*size.patch, *channels)).astype(np.float32), label)
    preprocessing = Preprocessing.of(task)
    with tempfile.TemporaryDirectory() as folder:
        store = store_cases([case], Path(folder), patch=size.patch, task=task, preprocessing=preprocessing)
        training = TrainingSpec(steps=2, batch=size.batch, augmentation=Augmentation(strength="flips"))
        train_member(store, spec, training, seed=0, out=Path(folder) / "member", task=task, preprocessing=preprocessing)
    done.set()
    watcher.join()
    sender.send(peak[0] - before)


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) << 10


if __name__ == "__main__":
    sys.exit(main())
