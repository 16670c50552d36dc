"""Pictures that are too much alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.records.base import Record, ShortText, Slug


class Likeness(StrEnum):
    """What makes two pictures one: how the one was made from the other, as far as can be seen."""

    IDENTICAL = "identical"
    """The same numbers."""
    TURNED = "turned"
    """Turned by quarter turns or mirrored; anything else may have been done as well."""
    CROPPED = "cropped"
    """One shows a part of the other, at its scale or enlarged."""
    SHIFTED = "shifted"
    """They overlap at one scale."""
    BRIGHTENED = "brightened"
    """The same place, other brightness, contrast or gamma."""
    RE_ENCODED = "re-encoded"
    """The same place and nearly the same numbers: compressed, resized, noised or smoothed."""
    SIMILAR = "similar"
    """They fit in large parts only: neighbouring planes, the same place again, or a copy that was bent or tilted."""


class NearDuplicate(Record):
    """Two cases whose images show the same thing."""

    cases: tuple[Slug, Slug]
    kind: Likeness
    score: Annotated[float, Field(ge=0, le=1)]
    """How well the images fit when laid on each other: the median correlation of their tiles."""
    detail: ShortText
    """How the images lie on each other, in words."""
