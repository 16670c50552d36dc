"""Inside which bounds a model was made and measured: the machine-checked part of the intended use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from minivess.records.base import Record
from minivess.records.data.dataset import Unit

Positive = Annotated[float, Field(gt=0)]
Steps = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=3)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=3)]

SIGNAL_PERCENTILES = (0.5, 99.5)
"""The intensity range of an image lies between these percentiles."""


class SignalMeasures(Record):
    """What an image looks like, whatever its intensity unit."""

    contrast_to_noise: Annotated[float, Field(ge=0)]
    """Height of the bright tail above the median, in standard deviations of the voxel noise."""
    bright_tail: Annotated[float, Field(ge=0, le=1)]
    """Share of the intensity range above the median: near 1 for bright vessels on dark ground, near 0 when inverted."""


class IntendedUse(Record):
    """Bounds, both ends included, of what the model may be asked. Axes are (z, y, x) of volumes, (y, x) of pictures."""

    spacing: tuple[Steps, Steps]
    """Smallest and largest voxel size along each axis, in `unit`."""
    unit: Unit = "um"
    """Micrometres, or pixels where no physical size is known."""
    shape: tuple[Sizes, Sizes]
    """Smallest and largest size in voxels."""
    contrast_to_noise: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
    bright_tail: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="before")
    @classmethod
    def _present_name(cls, stated: Any) -> Any:
        """Files of before call the spacing `spacing_um`, and state no unit."""
        if not isinstance(stated, Mapping) or "spacing_um" not in stated or {"spacing", "unit"} & set(stated):
            return stated
        return {"spacing" if name == "spacing_um" else name: value for name, value in stated.items()}

    @model_validator(mode="after")
    def _ordered(self) -> IntendedUse:
        if len({len(bound) for bound in (*self.spacing, *self.shape)}) != 1:
            raise ValueError("the bounds of spacing and shape have different numbers of axes")
        pairs = [self.contrast_to_noise, self.bright_tail]
        pairs += zip(*self.spacing, strict=True)
        pairs += zip(*self.shape, strict=True)
        if any(low > high for low, high in pairs):
            raise ValueError("a lower bound exceeds its upper bound")
        return self
