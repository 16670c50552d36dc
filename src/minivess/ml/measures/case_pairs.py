"""What measures are computed from: the two masks of a case with their voxel size, and what several measures share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.choices import choose
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.measures.mask_pairs import Mask, box_of, crop_pair, mask_pair
from minivess.ml.measures.shapes.skeletons import RULES
from minivess.ml.measures.shapes.surface import Distances, Spacing, border, border_distances
from minivess.ml.measures.shapes.thinning import components

Masks = tuple[Mask, Mask]
"""Of prediction and reference."""
Components = tuple[NDArray[np.int32], int]


@dataclass(frozen=True)
class CasePair:
    """Prediction and reference of one case, binary, (z, y, x) or (y, x), with the voxel size in any unit.

    What several measures share is made when it is first asked for, and once: the box, the components, the borders with
    their distances, and the skeletons.
    """

    prediction: Mask
    reference: Mask
    spacing: Spacing
    _skeletons: dict[str, Masks] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, prediction: NDArray[Any], reference: NDArray[Any], spacing: Spacing) -> Self:
        """Check two masks and their spacing.

        Raises:
            InputError: the masks do not fit together or are not binary, or the spacing is not positive.
        """
        predicted, true = mask_pair(prediction, reference)
        axes = predicted.ndim
        if len(spacing) != axes or not all(np.isfinite(step) and step > 0 for step in spacing):
            raise InputError(
                f"spacing {spacing} is not {'three' if axes == 3 else 'two'} positive numbers",
                hint=f"give ({'z, y, x' if axes == 3 else 'y, x'}) in one unit",
            )
        return cls(predicted, true, spacing)

    @cached_property
    def filled(self) -> tuple[bool, bool]:
        """Whether prediction and reference have any foreground."""
        return bool(self.prediction.any()), bool(self.reference.any())

    @cached_property
    def cropped(self) -> Masks:
        """Both masks in the smallest box with all foreground, see `mask_pairs.crop_pair`."""
        return crop_pair(self.prediction, self.reference)

    @cached_property
    def components(self) -> tuple[Components, Components]:
        """The labels of the components of both masks in the box from 1, and their numbers, see `thinning.components`."""
        predicted, true = self.cropped
        return components(predicted), components(true)

    @cached_property
    def borders(self) -> Masks:
        """The border voxels of both masks in the box, see `surface.border`."""
        predicted, true = self.cropped
        return border(predicted), border(true)

    @cached_property
    def surface_distances(self) -> tuple[Distances, Distances]:
        """Distances between the two borders, see `surface.surface_distances`. Both masks must have foreground."""
        return border_distances(*self.borders, self.spacing)

    @implements("REQ-379")
    def skeletons(self, rule: str) -> Masks:
        """The skeletons of both masks in the box, by the rule that the conventions name.

        Raises:
            UsageError: there is no such rule.
        """
        made = self._skeletons.get(rule)
        if made is None:
            thinned = choose(RULES, rule, what="rule of the skeleton")
            predicted, true = self.cropped
            made = self._skeletons[rule] = (thinned(predicted), thinned(true))
        return made

    def skeleton_of_reference(self, rule: str) -> Mask:
        """The skeleton of the reference on its whole grid.

        Raises:
            UsageError: there is no such rule.
        """
        whole = np.zeros_like(self.reference)
        whole[box_of(self.prediction, self.reference)] = self.skeletons(rule)[1]
        return whole
