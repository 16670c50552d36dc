"""The outcomes of the release gates as a pack holds them (`release/gates.json`): numbers as texts, so that every reader compares
the same."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, RootModel, StringConstraints

from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText, Slug

_FIXED = r"^(0|-?0\.[0-9]{0,5}[1-9]|-?[1-9][0-9]*(\.[0-9]{0,5}[1-9])?)$"
_POWERS = r"^-?[1-9]\.[0-9]{3}e-[0-9]{2,3}$"

NumberText = Annotated[str, StringConstraints(pattern=f"{_FIXED}|{_POWERS}", max_length=320)]
"""A number as `number_text` writes it."""

Basis = Literal["derived", "attested"]
"""`derived`: every verifier computes it again from the files of the pack and the entries of the log. `attested`: an output of a
named tool, bound by its digest."""

_SMALL = 1e-3
"""Below it a number is written with a power of ten: with six decimals little or nothing of it would be left."""


@implements("REQ-230")
def number_text(value: float) -> str:
    """A number as gates, margins and the signing text write it.

    Six decimals without trailing zeros; smaller than 0.001 three decimals and a power of ten; zero has no sign.

    Args:
        value: a finite number.
    """
    if value != 0 and abs(value) < _SMALL:
        return f"{value:.3e}"
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class GateOutcome(Record):
    """What came out of one gate."""

    id: Slug
    kind: ShortText
    basis: Basis
    passed: bool
    value: NumberText | None
    """None when it is not known; the gate has then failed."""
    comparison: Literal["at least", "at most"]
    limit: NumberText
    margin: NumberText | None
    """The distance to the limit: positive inside, negative outside."""
    waived: Annotated[int | None, Field(ge=0, exclude_if=lambda waived: waived is None)] = None
    """The entry of the waiver that lets the release be built although the gate fails."""


class GateOutcomes(RootModel[Annotated[tuple[GateOutcome, ...], Field(min_length=1)]]):
    """All gates of a release: those of its policy in their order, then the built-in ones."""
