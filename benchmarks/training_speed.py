"""Steps a second against a plain PyTorch loop, and against MONAI's cached loader.

All loops have the same network, patch, batch, loss, optimiser, layout and threads. The plain loop holds all cases in memory,
draws patches itself and changes them with the same augmentation. MONAI's loader (`CacheDataset`, `DataLoader`) has
`RandCropByPosNegLabeld` and its own flips and quarter turns, so that this comparison is made with flips and quarter turns, in
a process of its own.

Both loops run in one process and take turns step by step: each step of MiniVess is followed by one of the other loop. A pair
is a few steps of each. The first steps do not count. MiniVess' time is all that passes from the end of one step of the other
loop to the begin of the next, so that everything it does for a step is in it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import training_cases as shared  # of this folder

from minivess.ml.augmentation.registry import augmenter_of
from minivess.ml.sampling.case_store import CaseStore
from minivess.records.models.training import Augmentation, Strength, TrainingSpec
from minivess.records.models.training_run import Beat

PAIRS, IN_PAIR, UNCOUNTED = 10, 4, 4
CASES = 16
STRENGTHS: tuple[Strength, ...] = ("light", "flips")


def measure() -> int:
    """Print the ratios; 1 when MiniVess is slower than another loop beyond chance."""
    shared.pin(1)
    print(
        f"load {os.getloadavg()[0]:.1f}; {PAIRS} pairs of {IN_PAIR} steps, ratios with their 95 % intervals", flush=True
    )
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        store = shared.store_of(Path(folder) / "cases", CASES)
        for strength in STRENGTHS:
            training = _training(strength)
            missed |= _compare(f"{strength}: plain loop", store, training, _plain_batches(store, training))
    return missed | subprocess.run([sys.executable, __file__], check=False).returncode


def _training(strength: Strength) -> TrainingSpec:
    return TrainingSpec.model_validate(
        {
            "members": [0],
            "steps": UNCOUNTED + PAIRS * IN_PAIR,
            "batch": shared.BATCH,
            "schedule": "constant",
            "clip": None,
            "memory_format": "channels-last",
            "augmentation": Augmentation(strength=strength),
            "validation": {"share": 0},
        }
    )


class _Clock(NamedTuple):
    """Seconds of the wall, and of the processor for all threads of this process."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> _Clock:
        return cls(time.perf_counter(), time.process_time())

    def since(self, earlier: _Clock) -> _Clock:
        return _Clock(self.wall - earlier.wall, self.cpu - earlier.cpu)


class _Turns(shared.Stopwatch):
    """Lets another loop make a step after each step of MiniVess, and times both."""

    def __init__(self, other: Callable[[], None]) -> None:
        super().__init__()
        self._other, self._mark = other, _Clock.now()
        self.ours: list[_Clock] = []
        self.others: list[_Clock] = []

    def beat(self, beat: Beat) -> None:
        """A step of MiniVess is done: make one of the other loop."""
        self.waited = beat.waited
        done = _Clock.now()
        self.ours.append(done.since(self._mark))
        with _as_outside():
            begun = _Clock.now()
            self._other()
            self.others.append(_Clock.now().since(begun))
        self._mark = _Clock.now()


@contextmanager
def _as_outside() -> Iterator[None]:
    """PyTorch as it is where nobody asked for repeatable kernels."""
    import torch

    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(True, warn_only=True)


def _compare(words: str, store: CaseStore, training: TrainingSpec, batches: Iterable[tuple[Any, Any]]) -> int:
    """Print both ratios; 1 when even the upper end of that of the wall's seconds is below 1."""
    turns = _Turns(_loop(batches, training))
    shared.trained(store, training, workers=0, watch=turns)
    found = {}
    for name in _Clock._fields:
        ours, others = (
            np.array([getattr(one, name) for one in side[UNCOUNTED:]]).reshape(PAIRS, IN_PAIR).sum(1)
            for side in (turns.ours, turns.others)
        )
        found[name] = shared.interval(list(others / ours))
    rate = 1 / float(np.median([one.wall for one in turns.ours[UNCOUNTED:]]))
    cpu = float(np.median([one.cpu for one in turns.ours[UNCOUNTED:]]))
    print(
        f"{words:<32} MiniVess / other {found['wall']}, by CPU seconds {found['cpu']}; {rate:.2f} steps/s, "
        f"{cpu:.3f} CPU-s a step, waited {turns.waited:.1%}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return int(found["wall"].high < 1)


def _loop(batches: Iterable[tuple[Any, Any]], training: TrainingSpec) -> Callable[[], None]:
    """A step of a loop as one writes it."""
    import torch

    from minivess.ml.losses.registry import loss_of
    from minivess.ml.models.registry import build_network

    network = build_network(shared.SPEC, shared.TASK, seed=0).to(memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    loss, drawn = loss_of(training.loss), iter(batches)

    def step() -> None:
        images, labels = next(drawn)
        optimiser.zero_grad(set_to_none=True)
        value = loss(network(images.to(memory_format=torch.channels_last_3d)), labels)
        value.backward()
        optimiser.step()
        value.item()

    return step


def _plain_batches(store: CaseStore, training: TrainingSpec) -> Iterator[tuple[Any, Any]]:
    """Batches drawn from arrays in memory, in the process that trains."""
    import torch

    held = [tuple(np.array(array) for array in store.arrays(number)) for number in range(len(store.names))]
    change = augmenter_of(training.augmentation, store.patch)
    rng = np.random.default_rng(0)
    while True:
        drawn = []
        for _ in range(training.batch):
            image, label, places = held[int(rng.integers(len(held)))]
            last = np.subtract(label.shape, store.patch)
            low, high = np.zeros_like(last), last
            if rng.random() < 2 / 3:
                voxel = np.array(np.unravel_index(int(places[int(rng.integers(places.size))]), label.shape))
                low, high = np.maximum(0, voxel - np.array(store.patch) + 1), np.minimum(last, voxel)
            drawn.append(change(rng, image, label, [int(one) for one in rng.integers(low, high, endpoint=True)]))
        yield (
            torch.from_numpy(np.stack([image for image, _ in drawn])),
            torch.from_numpy(np.stack([label for _, label in drawn])[:, np.newaxis].astype(np.float32)),
        )


def _monai_batches(store: CaseStore) -> Iterator[tuple[Any, Any]]:
    """Batches of MONAI's cached loader, loaded in the process that trains."""
    from monai.data import CacheDataset, DataLoader
    from monai.transforms import Compose, RandCropByPosNegLabeld, RandFlipd, RandRotate90d

    keys = ["image", "label"]
    held = [
        {"image": np.array(arrays.image), "label": np.array(arrays.label)[np.newaxis].astype(np.float32)}
        for arrays in map(store.arrays, range(len(store.names)))
    ]
    transforms = Compose(
        [
            RandCropByPosNegLabeld(keys, "label", store.patch, pos=2, neg=1, num_samples=1),
            *[RandFlipd(keys, prob=0.5, spatial_axis=axis) for axis in range(3)],
            RandRotate90d(keys, prob=0.75, spatial_axes=(1, 2)),
        ]
    )
    loader = DataLoader(
        CacheDataset(held, transforms, progress=False), batch_size=shared.BATCH, shuffle=True, num_workers=0
    )
    while True:
        for batch in loader:
            yield batch["image"].as_tensor(), batch["label"].as_tensor()


def _against_monai() -> int:
    shared.pin(1)
    with tempfile.TemporaryDirectory() as folder:
        store = shared.store_of(Path(folder) / "cases", CASES)
        return _compare("flips: MONAI's cached loader", store, _training("flips"), _monai_batches(store))


if __name__ == "__main__":
    sys.exit(_against_monai())
