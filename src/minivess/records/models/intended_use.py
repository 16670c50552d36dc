"""Inside which bounds a model was made and measured: the machine-checked part of the intended use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from minivess.records.base import Record

Positive = Annotated[float, Field(gt=0)]
PositiveTriple = tuple[Positive, Positive, Positive]
Sizes = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]

SIGNAL_PERCENTILES = (0.5, 99.5)
"""The intensity range of an image lies between these percentiles."""


class SignalMeasures(Record):
    """What an image looks like, whatever its intensity unit."""

    contrast_to_noise: Annotated[float, Field(ge=0)]
    """Height of the bright tail above the median, in standard deviations of the voxel noise."""
    bright_tail: Annotated[float, Field(ge=0, le=1)]
    """Share of the intensity range above the median: near 1 for bright vessels on dark ground, near 0 when inverted."""


class IntendedUse(Record):
    """Bounds, both ends included, of what the model may be asked. Axes are (z, y, x)."""

    spacing_um: tuple[PositiveTriple, PositiveTriple]
    """Smallest and largest voxel size in micrometres."""
    shape: tuple[Sizes, Sizes]
    """Smallest and largest size in voxels."""
    contrast_to_noise: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
    bright_tail: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]

    @model_validator(mode="after")
    def _ordered(self) -> IntendedUse:
        pairs = [self.contrast_to_noise, self.bright_tail]
        pairs += zip(*self.spacing_um, strict=True)
        pairs += zip(*self.shape, strict=True)
        if any(low > high for low, high in pairs):
            raise ValueError("a lower bound exceeds its upper bound")
        return self
