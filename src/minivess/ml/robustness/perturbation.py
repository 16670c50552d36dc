"""What a perturbation is: a function of a generator, an image with its mask and spacing, and a level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.robustness import Perturbed

Image = NDArray[np.float32]
"""Raw, (z, y, x) or (y, x), channels last where there are several."""
Label = NDArray[Any]
"""The mask on the grid of the image, with the values of the classes."""
Spacing = tuple[float, ...]
"""Size of a voxel along each spatial axis, in any unit."""


class Scene(NamedTuple):
    """An image with its mask. Where their grids differ, both cover the same field of view."""

    image: Image
    label: Label
    spacing: Spacing
    """Of the image."""


Change = Callable[[np.random.Generator, Image, Label, Spacing, float], Scene]
"""Changes an image, its mask and its spacing by a level above 0. The arrays that it is given stay as they are. The same state of
the generator gives the same scene."""


@dataclass(frozen=True)
class Perturbation:
    """A change at its usual levels.

    Attributes:
        name: of the perturbation.
        title: for people.
        unit: of the levels, for people.
        effect: what is done to image and mask.
        change: does it.
        levels: above 0, ascending.
        below: what a level must be below.
    """

    name: str
    title: str
    unit: str
    effect: str
    change: Change
    levels: tuple[float, ...]
    below: float = math.inf

    def __call__(
        self, rng: np.random.Generator, image: NDArray[Any], label: Label, spacing: Spacing, level: float
    ) -> Scene:
        """The changed scene.

        Args:
            rng: draws what is left to chance.
            image: of any real type.
            label: its mask.
            spacing: of both.
            level: above 0 and below `below`.

        Raises:
            UsageError: the level is out of range.
        """
        if not 0 < level < self.below:
            raise UsageError(f"a level of {self.name} must be above 0 and below {self.below:g}, not {level:g}")
        scene = self.change(rng, np.asarray(image, np.float32), label, tuple(spacing), level)
        return Scene(np.ascontiguousarray(scene.image, np.float32), np.ascontiguousarray(scene.label), scene.spacing)

    @property
    def words(self) -> Perturbed:
        """What a record states of it."""
        return Perturbed(name=self.name, title=self.title, unit=self.unit, effect=self.effect)


def channels_first(image: Image, label: Label) -> Image:
    """The channels of an image, (channels, *grid), as a view."""
    return np.moveaxis(image, -1, 0) if image.ndim > label.ndim else image[np.newaxis]


def channels_as(channels: Image, image: Image, label: Label) -> Image:
    """Channels (channels, *grid) in the order of the axes of an image."""
    return np.moveaxis(channels, 0, -1) if image.ndim > label.ndim else channels[0]
