"""How an image is changed before a network sees it: fixed from the training part, the same everywhere afterwards."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from minivess.foundation.digests import Digest, digest_json
from minivess.records.base import Record
from minivess.records.data.dataset import SpatialAxes
from minivess.records.lengths import StatedSpacing, shown
from minivess.records.models.task import SegmentationTask

FORMAT = "minivess-preprocessing/1"
"""What the fields mean. Another way to compute the same fields needs another format."""

LOWER_PERCENTILE, UPPER_PERCENTILE = 0.5, 99.5
"""Intensities outside these percentiles are clipped."""

Choice = Literal["auto", "per-case", "foreground"]


class PreprocessingChoice(Record):
    """What the project file says of preprocessing."""

    spacing: StatedSpacing | Literal["native"] = "native"
    """The spacing that images are resampled to, for example `1 x 0.5 x 0.5 mm`. `native`: images stay on their own grid."""
    normalisation: Choice = "auto"
    """`per-case`: clipped to percentiles of the image, then mean 0 and deviation 1. `foreground`: the same with percentiles,
    mean and deviation of the foreground of the training part, for images with an absolute scale. `auto`: `foreground` for CT,
    else `per-case`."""


class ForegroundStatistics(Record):
    """Intensities of a channel in the foreground of the training part."""

    lower: float
    """The 0.5th percentile."""
    upper: float
    """The 99.5th percentile."""
    mean: float
    deviation: Annotated[float, Field(gt=0)]
    """The standard deviation."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower < self.upper:
            raise ValueError("the lower percentile must be below the upper one")
        return self


def _missing(value: object) -> bool:
    return not value


class Preprocessing(Record):
    """Channels, spacing and intensities of what a network gets. The defaults are what version 0.1.0 did."""

    channels: Annotated[int, Field(ge=1, le=64)] = 1
    """Channels of an image; more than one are the last axis of its array."""
    axes: SpatialAxes = "zyx"
    """The spatial axes."""
    spacing: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1e9)], ...] | None, Field(min_length=2, max_length=3, exclude_if=_missing)
    ] = None
    """Micrometres along each axis that an image is resampled to; None: it stays on its own grid."""
    foreground: Annotated[tuple[ForegroundStatistics, ...], Field(max_length=64, exclude_if=_missing)] = ()
    """One for each channel: intensities are clipped to the percentiles and standardised with mean and deviation. Empty: with
    percentiles, mean and deviation of the image itself."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.spacing is not None and len(self.spacing) != len(self.axes):
            raise ValueError(f"axes {self.axes} need {len(self.axes)} spacings")
        if self.foreground and len(self.foreground) != self.channels:
            raise ValueError(f"{self.channels} channels need as many statistics")
        return self

    @classmethod
    def of(cls, task: SegmentationTask) -> Self:
        """The preprocessing of a task without resampling, with intensities on the scale of each image."""
        return cls(channels=task.channels, axes=task.axes)

    @property
    def digest(self) -> Digest:
        """Of the format and all fields: two models with one digest preprocess alike."""
        return digest_json([FORMAT, self.model_dump(mode="json")])

    @property
    def usual(self) -> bool:
        """Whether this is what version 0.1.0 did; records leave it out then."""
        return self == AS_IT_IS

    @property
    def words(self) -> str:
        """The preprocessing for people, in one line."""
        grid = "the image's own grid" if self.spacing is None else f"resampled to {shown(self.spacing, 'um')}"
        scale = "the foreground of the training part" if self.foreground else "each image"
        return f"{grid}; intensities clipped and standardised by {scale}"


AS_IT_IS = Preprocessing()
"""The only preprocessing of version 0.1.0."""
