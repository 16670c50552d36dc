"""Steps a second against a plain PyTorch loop, and against MONAI's cached loader.

All three have the same network, patch, batch, loss, optimiser, layout and threads. The plain loop holds all cases in memory,
draws patches itself and changes them with the same augmentation. MONAI's loader (`CacheDataset`, `DataLoader`) has
`RandCropByPosNegLabeld` and its own flips and quarter turns, so that this comparison is made with flips and quarter turns.
Pairs are measured in turns, each the other way round. The first steps of a turn do not count.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import training_cases as shared  # of this folder

from minivess.ml.augmentation.registry import augmenter_of
from minivess.ml.sampling.case_store import CaseStore
from minivess.records.models.training import Augmentation, Strength, TrainingSpec

TURNS, STEPS, UNCOUNTED = 6, 10, 3
STRENGTHS: tuple[Strength, ...] = ("light", "flips")


def measure() -> None:
    """Print the ratios."""
    shared.pin(1)
    with tempfile.TemporaryDirectory() as folder:
        store = shared.store_of(Path(folder) / "cases", 16)
        for strength in STRENGTHS:
            training = _training(strength)
            plain = _plain_batches(store, training)
            _compare(f"{strength}: plain loop", store, training, lambda plain=plain: plain)
        _compare("flips: MONAI's cached loader", store, _training("flips"), lambda: _monai_batches(store))


def _training(strength: Strength) -> TrainingSpec:
    return TrainingSpec.model_validate(
        {
            "members": [0],
            "steps": STEPS,
            "batch": shared.BATCH,
            "schedule": "constant",
            "clip": None,
            "memory_format": "channels-last",
            "augmentation": Augmentation(strength=strength),
            "validation": {"share": 0},
        }
    )


def _compare(
    words: str, store: CaseStore, training: TrainingSpec, batches: Callable[[], Iterable[tuple[Any, Any]]]
) -> None:
    ratios, waited, rates = [], [], []
    for turn in range(TURNS):
        pair = [lambda: _ours(store, training), lambda: (_loop(batches(), training), 0.0)]
        order = (0, 1) if turn % 2 == 0 else (1, 0)
        found = {which: pair[which]() for which in order}
        ratios.append(found[0][0] / found[1][0])
        rates.append(found[0][0])
        waited.append(found[0][1])
    print(
        f"{words:<32} MiniVess / other {shared.interval(ratios)}, {np.median(rates):.2f} steps/s, "
        f"waited {np.median(waited):.1%}",
        flush=True,
    )


def _rate(times: list[float]) -> float:
    return (len(times) - 1 - UNCOUNTED) / (times[-1] - times[UNCOUNTED])


def _ours(store: CaseStore, training: TrainingSpec) -> tuple[float, float]:
    """Steps a second of `train_member`, and the share of time that it waited for patches."""
    watch = shared.trained(store, training)
    return _rate(watch.times), watch.waited


def _loop(batches: Iterable[tuple[Any, Any]], training: TrainingSpec) -> float:
    """Steps a second of a loop as one writes it."""
    import torch

    from minivess.ml.losses.registry import loss_of
    from minivess.ml.models.registry import build_network

    network = build_network(shared.SPEC, shared.TASK, seed=0).to(memory_format=torch.channels_last_3d).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)
    loss, times = loss_of(training.loss), []
    for step, (images, labels) in enumerate(batches, 1):
        optimiser.zero_grad(set_to_none=True)
        value = loss(network(images.to(memory_format=torch.channels_last_3d)), labels)
        value.backward()
        optimiser.step()
        value.item()
        times.append(time.perf_counter())
        if step == training.steps:
            break
    return _rate(times)


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
