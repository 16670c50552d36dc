"""Patches drawn from raw cases, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from minivess.ml.augmentation.flips import flip
from minivess.ml.augmentation.patches import Augmentation
from minivess.ml.augmentation.quarter_turns import quarter_turns
from minivess.ml.sampling.case_store import TrainingCase, store_cases
from minivess.ml.sampling.patches import Cut, PatchSource
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

FLIPS = (flip, quarter_turns)


def source_of(
    cases: Iterable[TrainingCase],
    patch: tuple[int, ...],
    folder: Path,
    *,
    seed: int = 0,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    augmentation: Sequence[Augmentation] = FLIPS,
) -> PatchSource:
    """Draws patches of the cases, which are stored in a folder."""
    store = store_cases(cases, folder, patch=patch, task=task, preprocessing=Preprocessing.of(task))
    return PatchSource(store, seed=seed, augmentation=Cut(patch, tuple(augmentation)))
