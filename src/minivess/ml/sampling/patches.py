"""Foreground-aware drawing of augmented training patches: each a function of seed, step and place in the step.

No generator lives from one step to the next, so that the number of processes that draw does not matter. NumPy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import CouldNotCheckError, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.augmentation.patches import Augmentation
from minivess.ml.sampling.case_store import CaseStore

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Images (n, channels, *patch), and masks (n, 1, *patch) of class indices."""

FOREGROUND_SHARE = 2 / 3
"""Share of patches that hold a foreground voxel for certain; the others are drawn uniformly."""

_STREAM = 0x7A7C4
_MAPPED = 256
"""Cases whose arrays stay mapped; a process may have 65,530 maps on Linux (`vm.max_map_count`)."""


@implements("REQ-048", "REQ-336")
class PatchSource:
    """Draws batches of patches from stored cases.

    A case is drawn uniformly, then with probability 2/3 a foreground voxel that the patch must hold, else any place. Of
    several classes, each that the case has is as likely. The augmentations change each patch, in their order.

    Args:
        store: the cases.
        seed: of the draws.
        augmentation: what changes the patches.
    """

    def __init__(self, store: CaseStore, *, seed: int, augmentation: Sequence[Augmentation] = ()) -> None:
        self.store, self.seed, self.augmentation = store, seed, tuple(augmentation)
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
        place = tuple(slice(int(one), int(one) + side) for one, side in zip(start, self.store.patch, strict=True))
        patches = (np.asarray(arrays.image[(slice(None), *place)]), np.asarray(arrays.label[place]))
        for change in self.augmentation:
            where = f"of step {step} from case {stored.name}"
            try:
                patches = change(rng, patches)
            except MemoryError:
                raise CouldNotCheckError(
                    f"the memory does not suffice to augment a patch {where}", hint="lower training.batch or the patch"
                ) from None
            except Exception as error:  # a change from outside may raise anything
                raise RefusedError(
                    f"the augmentation {_name(change)} failed on a patch {where}: {type(error).__name__}: {error}",
                    hint="name it in training.augmentation.without, or correct the case",
                ) from error
            if (patches[0].shape, patches[1].shape) != (image.shape, label.shape):
                raise RefusedError(f"the augmentation {_name(change)} changed the shape of a patch {where}")
        image[...], label[...] = patches

    def _generator(self, step: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, _STREAM, step, index])

    def _case(self, rng: np.random.Generator) -> int:
        return int(rng.integers(len(self.store.cases)))


def _source(store: CaseStore, seed: int, augmentation: tuple[Augmentation, ...]) -> PatchSource:
    return PatchSource(store, seed=seed, augmentation=augmentation)


def _name(change: Augmentation) -> str:
    return str(getattr(change, "name", None) or getattr(change, "__qualname__", None) or type(change).__name__)
