"""The augmentations by name, in the order in which they are applied. To add one, add its module and its row.

First the place of the scene, then optics, light, detector and grid, then how values are shown. Worker processes import this
module: it imports NumPy alone, and SciPy where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from minivess.foundation.implements import implements
from minivess.ml.augmentation.flips import flip
from minivess.ml.augmentation.frame import Frame
from minivess.ml.augmentation.intensities import bias_field, brightness, contrast, gamma, histogram_shift
from minivess.ml.augmentation.patches import Augmentation, FailedChangeError, Image, IntensityChange, Label, Patches
from minivess.ml.augmentation.quarter_turns import quarter_turns
from minivess.ml.augmentation.sharpness import blur, low_resolution, noise
from minivess.ml.augmentation.spatial import SpatialChange
from minivess.ml.augmentation.strengths import NEVER, STRENGTHS, Draw

if TYPE_CHECKING:  # worker processes import this module
    from minivess.records.models import training
    from minivess.records.models.training import ChangeName

SPATIAL: tuple[ChangeName, ...] = ("rotation", "scale", "elastic")
"""Made together, in one resampling."""


class NamedChange(NamedTuple):
    """A change of a patch."""

    name: ChangeName
    function: Augmentation


@dataclass(frozen=True)
class Sometimes:
    """A change of the image, made with a probability. The mask stays.

    Attributes:
        change: of intensities.
        draw: its probability and range.
    """

    change: IntensityChange
    draw: Draw

    def __call__(self, rng: np.random.Generator, patches: Patches) -> Patches:
        """The patch, changed or not."""
        if not self.draw.happens(rng):
            return patches
        image, label = patches
        return self.change(rng, image, self.draw.low, self.draw.high), label


@dataclass(frozen=True)
class Augmenter:
    """Cuts augmented patches out of cases: a pure function of the generator that it is given. It can be pickled.

    Attributes:
        spatial: cuts the patch and changes it in space.
        changes: of the patch, in their order.
    """

    spatial: SpatialChange
    changes: tuple[NamedChange, ...]

    @implements("REQ-353")
    def __call__(self, rng: np.random.Generator, image: Image, label: Label, start: Sequence[int]) -> Patches:
        """An augmented patch (channels, *patch) with its mask (*patch), both contiguous.

        Args:
            rng: draws every change. The same state gives the same patch.
            image: of the whole case, (channels, *grid). It may be read-only and memory-mapped.
            label: of the whole case, (*grid), indices of classes.
            start: first voxel of the patch along each axis.

        Raises:
            FailedChangeError: a change failed.
            MemoryError: the memory does not suffice.
        """
        name = " or ".join(SPATIAL)
        try:
            patches = self.spatial(rng, image, label, start)
            for name, change in self.changes:  # noqa: B007 - read where one fails
                patches = change(rng, patches)
        except MemoryError:
            raise
        except Exception as error:
            raise FailedChangeError(f"{name}: {type(error).__name__}: {error}") from error
        return np.ascontiguousarray(patches[0], np.float32), np.ascontiguousarray(patches[1])

    @property
    def names(self) -> tuple[ChangeName, ...]:
        """Of the changes that can happen, in the order in which they are applied."""
        spatial = (self.spatial.rotation, self.spatial.scale, self.spatial.elastic)
        return (
            *(name for name, draw in zip(SPATIAL, spatial, strict=True) if draw.probability),
            *(change.name for change in self.changes),
        )


@implements("REQ-354")
def augmenter_of(
    chosen: training.Augmentation, patch: Sequence[int], spacing: Sequence[float] | None = None
) -> Augmenter:
    """The augmentation of a strength, without the changes that are named.

    Args:
        chosen: strength and exceptions.
        patch: sides of a patch in voxels, 2 or 3 of them.
        spacing: size of a voxel that the network gets, along each axis; None: not known. Volumes with thick slices, and those of
            unknown spacing, are turned, scaled, bent, blurred and made coarser within their slices alone.
    """
    frame = Frame.of(patch, spacing)
    draws = {name: draw for name, draw in STRENGTHS[chosen.strength].items() if name not in chosen.without}
    changes: list[NamedChange] = []
    if chosen.strength != "none":
        turns = quarter_turns if frame.square else partial(quarter_turns, half=True)
        exact: Mapping[ChangeName, Augmentation] = {"flips": flip, "quarter-turns": turns}
        changes += [NamedChange(name, change) for name, change in exact.items() if name not in chosen.without]
    intensities = _intensities(frame)
    changes += [NamedChange(name, Sometimes(intensities[name], draws[name])) for name in intensities if name in draws]
    return Augmenter(SpatialChange(frame, *(draws.get(name, NEVER) for name in SPATIAL)), tuple(changes))


def _intensities(frame: Frame) -> Mapping[ChangeName, IntensityChange]:
    """Changes of the image alone, in their order."""
    return {
        "blur": partial(blur, axes=frame.even),
        "bias-field": bias_field,
        "noise": noise,
        "low-resolution": partial(low_resolution, axes=frame.even),
        "brightness": brightness,
        "contrast": contrast,
        "gamma": gamma,
        "histogram-shift": histogram_shift,
    }
