"""Inside which bounds a model was made and measured: the machine-checked part of the intended use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from minivess.records.base import Record
from minivess.records.data.dataset import SpatialAxes, Unit

Positive = Annotated[float, Field(gt=0)]
Steps = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=3)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=3)]

SIGNAL_PERCENTILES = (0.5, 99.5)
"""The intensity range of an image lies between these percentiles."""


def _missing(value: object) -> bool:
    return not value


class SignalMeasures(Record):
    """What an image looks like, whatever its intensity unit."""

    contrast_to_noise: Annotated[float, Field(ge=0)]
    """Height of the bright tail above the median, in standard deviations of the voxel noise."""
    bright_tail: Annotated[float, Field(ge=0, le=1)]
    """Share of the intensity range above the median: near 1 for bright vessels on dark ground, near 0 when inverted."""


Contrasts = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
Shares = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


class ChannelBounds(Record):
    """Bounds of a channel after the first."""

    contrast_to_noise: Contrasts
    bright_tail: Shares
    difference: Annotated[float, Field(ge=0)]
    """The smallest `channel_difference`: a copy of another channel has 0."""


class IntendedUse(Record):
    """Bounds, both ends included, of what the model may be asked. Axes are (z, y, x) of volumes, (y, x) of pictures."""

    spacing: tuple[Steps, Steps]
    """Smallest and largest voxel size along each axis, in `unit`."""
    unit: Unit = "um"
    """Micrometres, or pixels where no physical size is known."""
    shape: tuple[Sizes, Sizes]
    """Smallest and largest size in voxels."""
    contrast_to_noise: Contrasts
    """Smallest and largest, of the first channel."""
    bright_tail: Shares
    """Smallest and largest, of the first channel."""
    further_channels: Annotated[tuple[ChannelBounds, ...], Field(max_length=63, exclude_if=_missing)] = ()
    """The channels after the first; left out of the JSON where there is one channel, as in files of before."""

    @model_validator(mode="before")
    @classmethod
    def _present_name(cls, stated: Any) -> Any:
        """Files of before call the spacing `spacing_um`, and state no unit.

        What this returns is no JSON any more, in which a strict reading takes lists: they become tuples.
        """
        if not isinstance(stated, Mapping):
            return stated
        before = "spacing_um" in stated and not {"spacing", "unit"} & set(stated)
        return _tuples({"spacing" if before and name == "spacing_um" else name: one for name, one in stated.items()})

    @model_validator(mode="after")
    def _ordered(self) -> IntendedUse:
        if len({len(bound) for bound in (*self.spacing, *self.shape)}) != 1:
            raise ValueError("the bounds of spacing and shape have different numbers of axes")
        pairs = [self.contrast_to_noise, self.bright_tail]
        pairs += zip(*self.spacing, strict=True)
        pairs += zip(*self.shape, strict=True)
        for channel in self.further_channels:
            pairs += [channel.contrast_to_noise, channel.bright_tail]
        if any(low > high for low, high in pairs):
            raise ValueError("a lower bound exceeds its upper bound")
        return self

    @property
    def axes(self) -> SpatialAxes:
        """The spatial axes."""
        return "zyx" if len(self.shape[0]) == 3 else "yx"

    @property
    def channels(self) -> int:
        """How many channels an image has."""
        return 1 + len(self.further_channels)
