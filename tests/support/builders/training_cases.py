"""Small training cases, and stores of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from minivess.ml.sampling.case_store import CaseStore, TrainingCase, store_cases
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask


def training_case(
    shape: tuple[int, ...] = (10, 20, 20), *, seed: int = 0, share: float = 0.01, name: str = ""
) -> TrainingCase:
    """A case whose image is 10 where its mask is 1, else 0."""
    label = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    return TrainingCase(label.astype(np.float32) * 10, label, name=name)


def stored(
    cases: Iterable[TrainingCase],
    folder: Path,
    patch: tuple[int, ...] = (8, 8, 8),
    *,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    preprocessing: Preprocessing | None = None,
) -> CaseStore:
    """A store of cases, by default on their own grid."""
    return store_cases(cases, folder, patch=patch, task=task, preprocessing=preprocessing or Preprocessing.of(task))
