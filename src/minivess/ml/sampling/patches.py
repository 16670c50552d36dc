"""Foreground-aware drawing of augmented training patches: each a function of seed, step and place in the step.

No generator lives from one step to the next, so that the number of processes that draw does not matter. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.augmentation.patches import Augmentation, FailedChangeError, Patches
from minivess.ml.sampling.case_store import CaseStore, StoredArrays

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Images (n, channels, *patch), and masks (n, 1, *patch) of class indices."""

Cutter = Callable[[np.random.Generator, NDArray[np.float32], NDArray[np.uint8], Sequence[int]], Patches]
"""Cuts a patch (channels, *patch) and its mask (*patch) out of a case (channels, *grid) and its mask (*grid), and changes
them. It gets the first voxel of the patch along each axis. It is a function of what it gets and can be pickled."""


@dataclass(frozen=True)
class Cut:
    """Cuts a patch, and changes it by functions of the patch alone.

    Attributes:
        patch: its size.
        changes: in their order.
    """

    patch: tuple[int, ...]
    changes: tuple[Augmentation, ...] = ()

    def __call__(
        self, rng: np.random.Generator, image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]
    ) -> Patches:
        """A patch and its mask; see `Cutter`."""
        place = tuple(slice(one, one + side) for one, side in zip(start, self.patch, strict=True))
        patches: Patches = (image[(slice(None), *place)], label[place])
        for change in self.changes:
            patches = change(rng, patches)
        return patches


FOREGROUND_SHARE = 2 / 3
"""Share of patches that hold a foreground voxel for certain; the others are drawn uniformly."""

_STREAM = 0x7A7C4
_MAPPED = 64
"""Cases whose three arrays stay mapped. Python keeps a file open for each map, and a process may often have 1,024."""


@implements("REQ-048", "REQ-336", "REQ-357")
class PatchSource:
    """Draws batches of patches from stored cases.

    A case is drawn uniformly, then with probability 2/3 a foreground voxel that the patch must hold, else any place. Of
    several classes, each that the case has is as likely.

    Args:
        store: the cases.
        seed: of the draws.
        augmentation: cuts the patch and changes it; None: cuts it alone.
    """

    def __init__(self, store: CaseStore, *, seed: int, augmentation: Cutter | None = None) -> None:
        self.store, self.seed, self.augmentation = store, seed, augmentation or Cut(store.patch)
        self._arrays = lru_cache(maxsize=_MAPPED)(store.arrays)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled without the maps."""
        return _source, (self.store, self.seed, self.augmentation)

    def batch(self, step: int, first: int, size: int) -> Batch:
        """Patches `first` to `first + size - 1` of a step, as float32.

        Raises:
            CouldNotCheckError: a case cannot be read, or the memory does not suffice.
            RefusedError: an augmentation failed; the message names it and the case.
        """
        images, labels = self.empty(size)
        self.draw(step, first, images, labels)
        return images, labels.astype(np.float32)

    def cases_of(self, step: int, first: int, size: int) -> tuple[str, ...]:
        """Names of the cases of such a batch, one a patch."""
        return tuple(self.store.cases[self._case(self._generator(step, first + place))].name for place in range(size))

    def empty(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Room for a batch: images (n, channels, *patch), and masks (n, 1, *patch) of one byte a voxel."""
        patch = self.store.patch
        return np.empty((size, self.store.channels, *patch), np.float32), np.empty((size, 1, *patch), np.uint8)

    def draw(self, step: int, first: int, images: NDArray[np.float32], labels: NDArray[np.uint8]) -> None:
        """As `batch`, into arrays like those of `empty`."""
        for place, (image, label) in enumerate(zip(images, labels, strict=True)):
            self._draw(step, first + place, image, label[0])

    def _draw(self, step: int, index: int, image: NDArray[np.float32], label: NDArray[np.uint8]) -> None:
        rng = self._generator(step, index)
        number = self._case(rng)
        stored = self.store.cases[number]
        arrays = self._arrays(number)
        last = np.subtract(stored.grid, self.store.patch)
        low, high = np.zeros_like(last), last
        if rng.random() < FOREGROUND_SHARE and (classes := stored.classes):
            begin, end = classes[int(rng.integers(len(classes)))] if len(classes) > 1 else classes[0]
            voxel = np.array(np.unravel_index(int(arrays.places[int(rng.integers(begin, end))]), stored.grid))
            low, high = np.maximum(0, voxel - np.array(self.store.patch) + 1), np.minimum(last, voxel)
        start = rng.integers(low, high, endpoint=True)
        image[...], label[...] = self._cut(rng, arrays, [int(one) for one in start], f"step {step}, case {stored.name}")

    def _cut(self, rng: np.random.Generator, arrays: StoredArrays, start: Sequence[int], where: str) -> Patches:
        patch = self.store.patch
        try:
            image, label = self.augmentation(rng, arrays.image, arrays.label, start)
        except MemoryError:
            raise CouldNotCheckError(
                f"the memory does not suffice to augment a patch: {where}", hint="lower training.batch or model.patch"
            ) from None
        except Exception as error:  # a change from outside may raise anything
            found = str(error) if isinstance(error, FailedChangeError) else f"{type(error).__name__}: {error}"
            raise RefusedError(
                f"augmentation failed: {where}: {found}",
                hint="correct the case, or name the change in training.augmentation.without",
            ) from error
        if (image.shape, label.shape) != ((self.store.channels, *patch), patch):
            raise RefusedError(f"augmentation changed the shape of a patch: {where}")
        return image, label

    def _generator(self, step: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAM, step, index])

    def _case(self, rng: np.random.Generator) -> int:
        return int(rng.integers(len(self.store.cases)))


def _source(store: CaseStore, seed: int, augmentation: Cutter) -> PatchSource:
    return PatchSource(store, seed=seed, augmentation=augmentation)
