"""Probabilities of each case by a classifier that did not learn from its group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.quality.suspects.voxel_classifier import VoxelClassifier, VoxelSample, draw
from minivess.ml.quality.suspects.voxel_features import Features, voxel_features
from minivess.records.sinks import Progress

FOLDS = 5
LARGEST = 1 << 21
"""Voxels of a case above which it is looked at on a coarser grid, so that a case takes seconds."""


class VoxelCase(NamedTuple):
    """One case as the classifier gets it."""

    name: str
    image: NDArray[np.generic]
    """Raw, (*grid) or (*grid, channels)."""
    label: NDArray[np.uint8]
    """(*grid), 0 for background, else the number of the class."""
    spacing: tuple[float, ...]


class Expected(NamedTuple):
    """What is expected of one case."""

    name: str
    label: NDArray[np.uint8]
    """The mask on the grid of the probabilities."""
    probabilities: NDArray[np.float32]
    """(classes with background, *grid)."""
    step: int
    """Voxels of the case along y and x for each of the grid."""


Learn = Callable[[Sequence[VoxelSample]], Callable[[Features], NDArray[np.float32]]]
"""Learns from samples, and gives probabilities (classes with background, *grid) of features (features, *grid)."""


@implements("REQ-408")
def cross_fitted(
    cases: Callable[[], Iterable[VoxelCase]],
    groups: Mapping[str, str],
    *,
    classes: int,
    seed: int,
    folds: int = FOLDS,
    learn: Learn | None = None,
    progress: Progress | None = None,
) -> Iterator[Expected]:
    """Probabilities of each case by a classifier that learned from other groups. Cases are read twice, one at a time.

    Args:
        cases: gives the cases, each time anew.
        groups: the independent group of each case.
        classes: the number of classes beside the background.
        seed: draws voxels and folds.
        folds: classifiers that are fitted, at most one for each group.
        learn: fits a classifier; by default a simple one of voxels (`voxel_classifier`).
        progress: called after each case.

    Raises:
        UsageError: there are fewer than two groups, or a case has no group.
    """
    fit = learn or _simple(classes)
    samples: dict[str, VoxelSample] = {}
    for case in cases():
        if case.name not in groups:
            raise UsageError(f"case {case.name!r} has no group", hint="give the groups of the cases")
        rng = np.random.default_rng(list(sha256(f"{seed} {case.name}".encode()).digest()))
        seen = _coarser(case)
        features = voxel_features(seen.image, seen.label.ndim, seen.spacing)
        samples[case.name] = draw(rng, case.name, features, seen.label, classes)
        _hear(progress, "drawing voxels", len(samples), 0)
    fold = folds_of({name: groups[name] for name in samples}, folds, seed=seed)
    classifiers = []
    for number in range(max(fold.values()) + 1):
        classifiers.append(fit(list(apart_from(samples, fold, number).values())))
        _hear(progress, "fitting", number + 1, max(fold.values()) + 1)
    for place, case in enumerate(cases(), 1):
        seen = _coarser(case)
        features = voxel_features(seen.image, seen.label.ndim, seen.spacing)
        yield Expected(case.name, seen.label, classifiers[fold[case.name]](features), _step(case))
        _hear(progress, "comparing masks", place, len(samples))


def folds_of(groups: Mapping[str, str], folds: int, *, seed: int) -> dict[str, int]:
    """The fold of each case, from 0: whole groups, dealt out in an order that the seed draws.

    Raises:
        UsageError: there are fewer than two groups.
    """
    names = sorted(set(groups.values()), key=lambda name: sha256(f"suspects {seed} {name}".encode()).digest())
    if len(names) < 2:
        raise UsageError(
            "masks are compared with what other groups show, and there is one group", hint="ingest more cases"
        )
    places = {name: number % min(folds, len(names)) for number, name in enumerate(names)}
    return {case: places[group] for case, group in groups.items()}


@implements("RC-163")
def apart_from(samples: Mapping[str, VoxelSample], fold: Mapping[str, int], number: int) -> dict[str, VoxelSample]:
    """The samples of the cases of other folds."""
    return {name: one for name, one in samples.items() if fold[name] != number}


def _simple(classes: int) -> Learn:
    return lambda samples: VoxelClassifier.fit(samples, classes).predict


def _step(case: VoxelCase) -> int:
    """Voxels along y and x that become one."""
    return int(np.ceil(np.sqrt(case.label.size / LARGEST))) if case.label.size > LARGEST else 1


def _coarser(case: VoxelCase) -> VoxelCase:
    """A large case on a coarser grid along y and x: the image averaged, of the mask each voxel in the middle."""
    step = _step(case)
    if step == 1:
        return case
    from scipy import ndimage

    axes = case.label.ndim
    sizes = [step if axis in {axes - 2, axes - 1} else 1 for axis in range(case.image.ndim)]
    smooth = ndimage.uniform_filter(np.asarray(case.image, np.float32), sizes)
    window = tuple(slice(size // 2, None, size) for size in sizes)
    spacing = tuple(one * size for one, size in zip(case.spacing, sizes, strict=False))
    return VoxelCase(case.name, smooth[window], case.label[window[:axes]], spacing)


def _hear(progress: Progress | None, label: str, done: int, total: int) -> None:
    if progress is not None:
        progress(label, done, total)
