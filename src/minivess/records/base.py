"""What all records have in common: frozen, closed to unknown fields, and free of NaN and infinity."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from minivess.foundation.clock import timestamp


class Record(BaseModel):
    """A fact. Records are values: equal when their fields are equal, never changed after they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class WholeRecord(Record):
    """A record whose JSON states every field, also those that have their usual value: nothing is left to be supposed."""

    @model_validator(mode="after")
    def _states_all(self, info: ValidationInfo) -> Self:
        if info.mode == "json" and (left := sorted(set(type(self).model_fields) - self.model_fields_set)):
            raise ValueError(f"does not state {', '.join(left)}")
        return self


class Observation(Record):
    """A payload that nothing is derived from: it stands in the entry's details, and can be erased."""


@cache
def record_at(place: str) -> type[Record]:
    """The record at a place below `minivess.records`, for example `data.split:SplitManifest`.

    Tables of many records name them by their places: a command needs few of them, and is not to import all.
    """
    module, _, name = place.partition(":")
    return cast("type[Record]", getattr(importlib.import_module(f"minivess.records.{module}"), name))


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a time zone")
    return moment.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_aware), PlainSerializer(timestamp, return_type=str, when_used="json")]
"""A timezone-aware moment, kept in UTC and written as RFC 3339 with microseconds."""

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""One line for a person: a name, a title, a reason in brief."""

Statement = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""A paragraph for a person."""

Side = Annotated[int, Field(ge=1)]
"""A size in voxels along one axis."""

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""An identifier that is safe in a file name: letters, digits, dot, underscore, hyphen."""

GitId = Annotated[str, StringConstraints(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]
"""The id of a commit or tree object of git, SHA-1 or SHA-256."""
