"""Foreground-aware sampling of augmented training patches, drawn by a seed alone. NumPy only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.augmentation.registry import AUGMENTATIONS, FLIPS_AND_TURNS
from minivess.ml.inference.normalisation import normalise
from minivess.ml.inference.tiling import pad_to

TrainingCase = tuple[NDArray[np.generic], NDArray[np.generic]]
"""Raw image (z, y, x) of any real type and mask (z, y, x) of 0 and 1."""

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]

FOREGROUND_SHARE = 2 / 3
"""Share of patches that hold a foreground voxel for certain; the others are drawn uniformly."""


def cases_digest(cases: Sequence[TrainingCase]) -> Digest:
    """Digest of images and masks: for each array a line of JSON `[dtype, shape]`, then its row-major elements."""
    digest = hashlib.sha256(b"minivess-cases/1\n")
    for case in cases:
        for array in case:
            digest.update(json.dumps([array.dtype.str, list(array.shape)]).encode("ascii") + b"\n")
            digest.update(np.ascontiguousarray(array).data)
    return f"sha256:{digest.hexdigest()}"


@implements("REQ-048")
class PatchSampler:
    """Draws batches of patches from normalised cases; the same seed draws the same batches.

    A case is drawn uniformly, then with probability 2/3 a foreground voxel that the patch must hold, else any place.
    The augmentations change each patch, in their order.

    Raises:
        UsageError: there are no cases, or there is no augmentation of a name.
        InputError: image and mask differ in shape, or no case has foreground.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        patch: tuple[int, ...],
        *,
        seed: int,
        augmentations: Sequence[str] = FLIPS_AND_TURNS,
    ) -> None:
        if not cases:
            raise UsageError("training needs cases", hint="the training part of the split is empty")
        self._patch = patch
        self._augmentations = [choose(AUGMENTATIONS, name, what="augmentation") for name in augmentations]
        self._rng = np.random.default_rng([seed, 0x7A7C4])
        self._images: list[NDArray[np.float32]] = []
        self._labels: list[NDArray[np.float32]] = []
        self._foreground: list[NDArray[np.intp]] = []
        for image, label in cases:
            if image.shape != label.shape:
                raise InputError(f"an image of shape {image.shape} has a mask of shape {label.shape}")
            padded, _ = pad_to(normalise(image), patch)
            mask, _ = pad_to((np.asarray(label) != 0).astype(np.float32), patch)
            self._images.append(padded)
            self._labels.append(mask)
            self._foreground.append(np.flatnonzero(mask))
        if not any(places.size for places in self._foreground):
            raise InputError("no training case has foreground", hint="check that the masks are not empty")

    def batch(self, size: int) -> Batch:
        """The next `size` patches: images and masks, both float32 of shape (size, 1, z, y, x)."""
        drawn = [self._draw() for _ in range(size)]
        images, labels = (np.stack(arrays)[:, np.newaxis] for arrays in zip(*drawn, strict=True))
        return images, labels

    def _draw(self) -> Batch:
        rng = self._rng
        case = int(rng.integers(len(self._images)))
        image, label, places = self._images[case], self._labels[case], self._foreground[case]
        last = np.subtract(image.shape, self._patch)
        low, high = np.zeros_like(last), last
        if rng.random() < FOREGROUND_SHARE and places.size:
            voxel = np.array(np.unravel_index(places[int(rng.integers(places.size))], image.shape))
            low, high = np.maximum(0, voxel - np.array(self._patch) + 1), np.minimum(last, voxel)
        start = rng.integers(low, high, endpoint=True)
        place = tuple(slice(int(begin), int(begin) + side) for begin, side in zip(start, self._patch, strict=True))
        patches = (image[place], label[place])
        for change in self._augmentations:
            patches = change(rng, patches)
        return np.ascontiguousarray(patches[0]), np.ascontiguousarray(patches[1])
