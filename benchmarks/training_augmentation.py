"""CPU milliseconds a patch for each change of `ml.augmentation`, and for each strength as it is drawn.

A change is measured as it is when it happens, at strength `strong`. Of strengths the mean over many patches is given, and the
slowest patch. Times are CPU time of the thread, as other programs may run beside.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import NamedTuple, get_args

import numpy as np

from minivess.ml.augmentation.registry import Augmenter, NamedChange, Sometimes, augmenter_of
from minivess.ml.augmentation.strengths import NEVER
from minivess.records.models.training import Augmentation, Strength

PATCHES = 400
"""Patches of a strength."""
LIMITS = {"light": 3.0, "medium": 15.0}
"""Milliseconds in the mean for a patch of 32 x 64 x 64."""


class Size(NamedTuple):
    """A patch and the image it is cut from."""

    words: str
    patch: tuple[int, ...]
    grid: tuple[int, ...]
    channels: int = 1
    spacing: tuple[float, ...] | None = None


SIZES = (
    Size("32 x 64 x 64", (32, 64, 64), (64, 128, 128), spacing=(1, 1, 1)),
    Size("32 x 64 x 64, thick slices", (32, 64, 64), (64, 128, 128), spacing=(5, 1, 1)),
    Size("128 x 128, 3 channels", (128, 128), (320, 320), channels=3),
)


def measure() -> None:
    """Print one line a change and one a strength, for each size."""
    for size in SIZES:
        strong = augmenter_of(Augmentation(strength="strong"), size.patch, size.spacing)
        for name, one in _each(strong).items():
            print(f"{size.words:<28} {name:<18} {statistics.median(_times(one, size, 30)):7.2f} ms")
        for strength in get_args(Strength):
            times = _times(augmenter_of(Augmentation(strength=strength), size.patch, size.spacing), size, PATCHES)
            limit = f"  at most {LIMITS[strength]:g} ms" if strength in LIMITS and len(size.patch) == 3 else ""
            mean, most = statistics.fmean(times), max(times)
            print(f"{size.words:<28} {strength:<18} {mean:7.2f} ms in the mean, {most:6.2f} ms the slowest{limit}")


def _each(strong: Augmenter) -> dict[str, Augmenter]:
    """Augmenters that make one change alone, always."""
    none = replace(strong.spatial, rotation=NEVER, scale=NEVER, elastic=NEVER)
    made: dict[str, Augmenter] = {"cut": Augmenter(none, ())}
    for name in ("rotation", "scale", "elastic"):
        always = getattr(strong.spatial, name)._replace(probability=1.0)
        made[name] = Augmenter(replace(none, **{name: always}), ())
    for name, change in strong.changes:
        if isinstance(change, Sometimes):
            change = replace(change, draw=change.draw._replace(probability=1.0))  # noqa: PLW2901
        made[name] = Augmenter(none, (NamedChange(name, change),))
    return made


def _times(augmenter: Augmenter, size: Size, count: int) -> list[float]:
    image = np.random.default_rng(0).standard_normal((size.channels, *size.grid), dtype=np.float32)
    label = (image[0] > 1).astype(np.uint8)
    start = [(whole - side) // 2 for whole, side in zip(size.grid, size.patch, strict=True)]
    augmenter(np.random.default_rng(0), image, label, start)
    times = []
    for number in range(count):
        begun = time.thread_time()
        augmenter(np.random.default_rng(number), image, label, start)
        times.append(1000 * (time.thread_time() - begun))
    return times
