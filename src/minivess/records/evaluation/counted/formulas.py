"""How a measure follows from counts that several measures share. Standard library only.

A measure with counts of its own has its formula in the class of its counts. `templates/verify/verify.py` has the same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from minivess.foundation.implements import implements
from minivess.records.base import Record

TRUE_NEGATIVES = "tn"
"""Voxels in neither mask: those of the image without `tp`, `fp` and `fn`."""


class Formula(Protocol):
    """Computes a measure from counts."""

    @property
    def words(self) -> str:
        """The formula for people."""

    def of(self, counts: Record, voxels: int) -> float | None:
        """The value; None where it is undefined.

        Args:
            counts: of the class that the row of the measure names.
            voxels: of the image.
        """


def _number(counts: Record, name: str, voxels: int) -> float | None:
    if name == TRUE_NEGATIVES:
        inside: int = getattr(counts, "either")  # noqa: B009  counts of an overlap have it
        return voxels - inside
    found: float | None = getattr(counts, name)
    return found


@dataclass(frozen=True)
class Share:
    """A count as a share of the sum of some counts."""

    part: str
    whole: tuple[str, ...]
    empty: float | None = None
    """The value when the sum is 0."""

    @property
    def words(self) -> str:
        """The formula for people."""
        whole = " + ".join(self.whole)
        divisor = f"({whole})" if len(self.whole) > 1 else whole
        otherwise = "undefined" if self.empty is None else f"{self.empty:g}"
        negatives = " with tn = voxels of the image - tp - fp - fn" if TRUE_NEGATIVES in self.whole else ""
        return f"{self.part} / {divisor}{negatives}; {otherwise} when {divisor} is 0"

    @implements("REQ-374")
    def of(self, counts: Record, voxels: int) -> float | None:
        """The share, in 0..1; `empty` when the sum is 0."""
        part, *whole = (_number(counts, name, voxels) for name in (self.part, *self.whole))
        total = sum(one or 0 for one in whole)
        return (part or 0) / total if total else self.empty


@dataclass(frozen=True)
class Deviation:
    """The absolute difference of the prediction to the reference, in something that both masks have."""

    what: str = ""
    """The fields are named `predicted_` and `reference_` with this. Empty: the voxels of the masks of an overlap."""
    relative: bool = True
    """Whether it is divided by the reference. Then it is undefined where the reference is 0."""

    @property
    def _fields(self) -> tuple[str, str]:
        end = f"_{self.what}" if self.what else ""
        return f"predicted{end}", f"reference{end}"

    @property
    def words(self) -> str:
        """The formula for people."""
        predicted, reference = self._fields
        difference = f"|{predicted} - {reference}|" if self.what else "|fp - fn|"
        divisor = reference if self.what else "(tp + fn)"
        return f"{difference} / {divisor}; undefined where {divisor} is 0 or null" if self.relative else difference

    @implements("REQ-374")
    def of(self, counts: Record, voxels: int) -> float | None:
        """The difference, from 0; None where one side is undefined, or the reference is 0 and it is relative."""
        predicted, reference = (_number(counts, name, voxels) for name in self._fields)
        if predicted is None or reference is None or (self.relative and not reference):
            return None
        return abs(predicted - reference) / (reference if self.relative else 1)


@dataclass(frozen=True)
class Measured:
    """A value that does not follow from counts."""

    field: str

    @property
    def words(self) -> str:
        """The formula for people."""
        return f"{self.field}, as it was measured"

    def of(self, counts: Record, voxels: int) -> float | None:
        """The field."""
        return _number(counts, self.field, voxels)
