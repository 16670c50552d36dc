"""Pictures that are too much alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""Why a person states something about a pair of cases."""


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
    STATED = "stated"
    """A person states in `split.same` that both show the same object."""


class NearDuplicate(Record):
    """Two cases whose images show the same object."""

    cases: tuple[Slug, Slug]
    kind: Likeness
    score: Annotated[float, Field(ge=0, le=1)]
    """How well the images fit when laid on each other: the median correlation of their tiles."""
    detail: ShortText
    """How the images lie on each other, in words."""


StatedPair = tuple[Slug, Slug, Reason]
"""What a person states about two cases, and why: `[case, other, reason]` in the project file."""


class OverruledPair(Record):
    """Two cases that a person states to be no copies of each other, whatever the search for near duplicates finds."""

    cases: tuple[Slug, Slug]
    reason: Reason
    found: NearDuplicate | None = None
    """What the search found; None: it found no likeness."""

    def __str__(self) -> str:
        found = "no likeness was found" if self.found is None else f"found {self.found.kind.value}, {self.found.detail}"
        return f"{self.cases[0]} and {self.cases[1]} are stated to be no copies: {self.reason} ({found})"


class NearSearch(Record):
    """The result of one search for near duplicates. It holds for images with these digests and for this method only."""

    method: Digest
    """Of the parameters of the method (`near_duplicates.method`)."""
    images: Digest
    """Of ids and image digests of all cases, in order."""
    pairs: tuple[NearDuplicate, ...]
