"""What a measure is computed from: the two masks of a case with their voxel size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.ml.measures.mask_pairs import Mask, mask_pair
from minivess.ml.measures.surface import Distances, Spacing, surface_distances


@dataclass(frozen=True)
class CasePair:
    """Prediction and reference of one case, binary, (z, y, x) or (y, x), with the voxel size in any unit."""

    prediction: Mask
    reference: Mask
    spacing: Spacing

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
    def surface_distances(self) -> tuple[Distances, Distances]:
        """Distances between the two borders, see `surface.surface_distances`. Both masks must have foreground."""
        return surface_distances(self.prediction, self.reference, self.spacing)
