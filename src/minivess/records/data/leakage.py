"""Cases that are apart though they belong together."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText, Slug
from minivess.records.data.likeness import OverruledPair
from minivess.records.data.split import Part


class Bond(StrEnum):
    """Why two cases belong together."""

    SUBJECT = "subject"
    ACQUISITION = "acquisition"
    ORIGIN = "origin"
    FRAME = "frame_of_reference"
    IMAGE = "image"
    NEAR = "near-duplicate"


class Leak(Record):
    """Two cases that belong together, and where they are."""

    cases: tuple[Slug, Slug]
    parts: tuple[Part, Part]
    folds: tuple[int, int] | None = None
    """The outer folds (from 1) they are in, when folds part them."""
    bonds: Annotated[tuple[Bond, ...], Field(min_length=1)]
    detail: ShortText
    """What they share, in words."""

    @property
    def places(self) -> tuple[str, str]:
        """Both cases, with part and fold."""
        one, other = (
            f"{case} ({part.value}{f', fold {self.folds[number]}' if self.folds else ''})"
            for number, (case, part) in enumerate(zip(self.cases, self.parts, strict=True))
        )
        return one, other

    def __str__(self) -> str:
        return f"{self.places[0]} and {self.places[1]} {self.detail}"


class LeakageReport(Record):
    """What the guard found in a split: leaks across parts or folds block, copies within a part are warned of."""

    dataset: Digest
    split: Digest
    across: tuple[Leak, ...]
    within: tuple[Leak, ...]
    not_copies: tuple[OverruledPair, ...] = ()
    """Pairs that a person states to be no copies: they are no leak."""

    @property
    def blocked(self) -> bool:
        """Whether anything leaks."""
        return bool(self.across)
