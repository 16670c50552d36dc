"""Cutters of patches for worker processes in tests; light to import, because each process imports it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from minivess.ml.augmentation.flips import flip
from minivess.ml.augmentation.patches import Patches

SIDE = 8


def cut(image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]) -> Patches:
    """A patch of sides of 8 voxels."""
    place = tuple(slice(one, one + SIDE) for one in start)
    return image[(slice(None), *place)], label[place]


def flipped(
    rng: np.random.Generator, image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]
) -> Patches:
    """A patch, flipped and in noise."""
    image, label = flip(rng, cut(image, label, start))
    return image + rng.normal(size=image.shape).astype(np.float32), label


def naming_modules(
    rng: np.random.Generator, image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]
) -> Patches:
    """Prints, and refuses each patch with the packages that this process has imported."""
    print("this must not be taken for an answer" * 100, flush=True)
    raise ValueError(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))


def killed(
    rng: np.random.Generator, image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]
) -> Patches:
    """Ends its process the way the kernel does where memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def larger(
    rng: np.random.Generator, image: NDArray[np.float32], label: NDArray[np.uint8], start: Sequence[int]
) -> Patches:
    """Gives the whole case."""
    return image, label
