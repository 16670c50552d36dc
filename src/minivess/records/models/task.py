"""What a network gets and gives: the channels, axes and classes of the cases it is for."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from minivess.foundation.errors import UsageError
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Record
from minivess.records.data.dataset import MOST_CHANNELS, CaseRecord, DatasetManifest, LabelClass, SpatialAxes

FOREGROUND = (LabelClass(value=1, name="foreground"),)


class SegmentationTask(Record):
    """Channels in, exclusive classes out. The defaults are what version 0.1.0 could do: one channel, one class, volumes."""

    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] = 1
    """Channels of an image."""
    axes: SpatialAxes = "zyx"
    """The spatial axes, in the order of the arrays."""
    classes: Annotated[tuple[LabelClass, ...], Field(min_length=1, max_length=255)] = FOREGROUND
    """What the mask's values mean, in ascending order of value; 0 is background."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        values = [one.value for one in self.classes]
        if values != sorted(set(values)):
            raise ValueError("the classes must be in ascending order of their values, each value once")
        if repeated := [name for name, count in Counter(one.name for one in self.classes).items() if count > 1]:
            raise ValueError(f"two classes have the name {repeated[0]}; calibration and answers name classes")
        return self

    @classmethod
    def of(cls, manifest: DatasetManifest) -> SegmentationTask:
        """The task of a data set.

        Raises:
            ValueError: there are no cases, or two cases differ in channels, their names or order, axes or classes; the message
                names both cases.
        """
        if not manifest.cases:
            raise ValueError("a data set without cases has no task")
        first, *others = manifest.cases
        found = _task(first)
        for other in others:
            if (second := _task(other)) != found:
                raise ValueError(
                    f"case {first.id} has {found.words}, and case {other.id} has {second.words}; "
                    "a network is for cases of one kind"
                )
            if other.channels != first.channels:
                raise ValueError(
                    f"case {first.id} has the channels {_named(first)}, and case {other.id} has {_named(other)}; "
                    "a network knows channels by their order"
                )
        return found

    @property
    def outputs(self) -> int:
        """How many logits a voxel gets: one for one class, else one for the background and one for each class."""
        return 1 if self.one_class else len(self.classes) + 1

    @property
    def one_class(self) -> bool:
        """Whether there is one class, which gets one logit and a threshold."""
        return len(self.classes) == 1

    @property
    def usual(self) -> bool:
        """Whether this is the only task of version 0.1.0; records leave it out then."""
        return self == ONE_CLASS_OF_VOLUMES

    @property
    def words(self) -> str:
        """The task for people, for example `1 channel, axes zyx, classes 1 artery and 2 vein`."""
        channels = f"{self.channels} channel" + ("" if self.channels == 1 else "s")
        *rest, last = (f"{one.value} {one.name}" for one in self.classes)
        named = f"classes {', '.join(rest)} and {last}" if rest else f"class {last}"
        return f"{channels}, axes {self.axes}, {named}"


def task_of(manifest: DatasetManifest) -> SegmentationTask:
    """The task of a data set.

    Raises:
        UsageError: there are no cases, two cases differ in channels, axes or classes, or a case has malformed classes.
    """
    hint = "ingest cases of one kind"
    try:
        return SegmentationTask.of(manifest)
    except ValidationError as error:
        raise UsageError(first_error(error), hint=hint) from None
    except ValueError as error:
        raise UsageError(str(error), hint=hint) from None


ONE_CLASS_OF_VOLUMES = SegmentationTask()
"""The only task of version 0.1.0."""


def _named(case: CaseRecord) -> str:
    """Names of the channels of a case that has several."""
    return ", ".join(case.channels) or "red, green, blue"


def _task(case: CaseRecord) -> SegmentationTask:
    channels = case.shape[-1] if case.axes.endswith("c") else 1
    axes: SpatialAxes = "zyx" if case.axes.startswith("z") else "yx"
    drawn = tuple(one.model_copy(update={"colour": None}) for one in case.classes)  # a colour changes no meaning
    return SegmentationTask(channels=channels, axes=axes, classes=drawn)
