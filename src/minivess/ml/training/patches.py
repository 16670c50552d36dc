"""Foreground-aware sampling of augmented training patches, drawn by a seed alone. NumPy only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.ml.augmentation.patches import Patches
from minivess.ml.augmentation.registry import AUGMENTATIONS, FLIPS_AND_TURNS
from minivess.ml.inference.answers import class_indices
from minivess.ml.inference.tiling import pad_to
from minivess.ml.preprocessing.preprocessor import Preprocessor, Spacing
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask


class TrainingCase(NamedTuple):
    """A raw image with its mask."""

    image: NDArray[np.generic]
    """In the order (z, y, x) or (y, x), channels last where there are several; any real type."""
    label: NDArray[np.generic]
    """On the grid of the image, with the values of the classes."""
    spacing: Spacing = None
    """Micrometres along each spatial axis, where they are known."""


Batch = tuple[NDArray[np.float32], NDArray[np.float32]]

FOREGROUND_SHARE = 2 / 3
"""Share of patches that hold a foreground voxel for certain; the others are drawn uniformly."""


def cases_digest(cases: Sequence[TrainingCase]) -> Digest:
    """Digest of images and masks: for each array a line of JSON `[dtype, shape]`, then its row-major elements."""
    digest = hashlib.sha256(b"minivess-cases/1\n")
    for case in cases:
        for array in (case.image, case.label):
            digest.update(json.dumps([array.dtype.str, list(array.shape)]).encode("ascii") + b"\n")
            digest.update(np.ascontiguousarray(array).data)
    return f"sha256:{digest.hexdigest()}"


@implements("REQ-048", "REQ-336")
class PatchSampler:
    """Draws batches of patches from preprocessed cases; the same seed draws the same batches.

    A case is drawn uniformly, then with probability 2/3 a foreground voxel that the patch must hold, else any place. Of
    several classes, each that the case has is as likely. The augmentations change each patch, in their order.

    Args:
        cases: raw images and masks.
        patch: size of a patch.
        seed: of the draws.
        task: channels, axes and classes.
        preprocessing: what images go through; by default they stay on their grid.
        augmentations: names of `ml.augmentation`.

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
        task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
        preprocessing: Preprocessing | None = None,
        augmentations: Sequence[str] = FLIPS_AND_TURNS,
    ) -> None:
        if not cases:
            raise UsageError("training needs cases", hint="the training part of the split is empty")
        self.task = task
        self._patch = patch
        self._augmentations = [choose(AUGMENTATIONS, name, what="augmentation") for name in augmentations]
        self._rng = np.random.default_rng([seed, 0x7A7C4])
        self._images: list[NDArray[np.float32]] = []
        self._labels: list[NDArray[np.uint8]] = []
        self._foreground: list[list[NDArray[np.intp]]] = []
        preprocessor = Preprocessor(preprocessing or Preprocessing.of(task))
        for image, label, spacing in cases:
            if preprocessor.grid(image) != label.shape:
                raise InputError(f"an image of shape {image.shape} has a mask of shape {label.shape}")
            padded, _ = pad_to(preprocessor.apply(image, spacing), patch)
            mask, _ = pad_to(preprocessor.labels(class_indices(label, task), spacing), patch)
            self._images.append(padded)
            self._labels.append(mask)
            found = (np.flatnonzero(mask == number) for number in range(1, len(task.classes) + 1))
            self._foreground.append([places for places in found if places.size])
        if not any(self._foreground):
            raise InputError("no training case has foreground", hint="check that the masks are not empty")

    def batch(self, size: int) -> Batch:
        """The next `size` patches as float32: images (size, channels, *patch), and masks (size, 1, *patch) of indices."""
        drawn = [self._draw() for _ in range(size)]
        images = np.stack([image for image, _ in drawn])
        labels = np.stack([label for _, label in drawn])[:, np.newaxis].astype(np.float32)
        return images, labels

    def _draw(self) -> Patches:
        rng = self._rng
        case = int(rng.integers(len(self._images)))
        image, label, classes = self._images[case], self._labels[case], self._foreground[case]
        last = np.subtract(label.shape, self._patch)
        low, high = np.zeros_like(last), last
        if rng.random() < FOREGROUND_SHARE and classes:
            places = classes[0] if len(classes) == 1 else classes[int(rng.integers(len(classes)))]
            voxel = np.array(np.unravel_index(places[int(rng.integers(places.size))], label.shape))
            low, high = np.maximum(0, voxel - np.array(self._patch) + 1), np.minimum(last, voxel)
        start = rng.integers(low, high, endpoint=True)
        place = tuple(slice(int(begin), int(begin) + side) for begin, side in zip(start, self._patch, strict=True))
        patches: Patches = (image[(slice(None), *place)], label[place])
        for change in self._augmentations:
            patches = change(rng, patches)
        return np.ascontiguousarray(patches[0]), np.ascontiguousarray(patches[1])
