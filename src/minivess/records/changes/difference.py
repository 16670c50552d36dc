"""What differs between two releases: `release diff --json`, and `release/changes.json` of a pack."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug
from minivess.records.evaluation.cases import OfClass
from minivess.records.evaluation.comparison.evaluations import Comparison
from minivess.records.evaluation.measures import AggregateName
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.lengths import LengthUnit

FORMAT: Final = "minivess-release-difference/1"


def _absent(value: object) -> bool:
    return value is None


class ComparedRelease(Record):
    """One of the two releases."""

    device: Slug
    version: Slug
    pack: Annotated[Digest | None, Field(exclude_if=_absent)] = None
    """Digest of the tag manifest, which people sign. None: the pack that is being built."""
    model: Digest | None
    """None: the pack does not name it."""
    commit: str | None
    """Of the source tree; None where the pack does not name it."""
    log: str
    """Origin of the log."""
    entries: Annotated[int, Field(ge=0)]
    """Of the log, before the preparation of the release."""
    verdict: Annotated[str | None, Field(exclude_if=_absent)] = None
    """What its verification came to. None: it was not verified."""


class ChangedField(Record):
    """A field with its value in each release; None where it has none."""

    field: str
    old: str | None
    new: str | None


class Change(Record):
    """Something that only one release has, or that differs."""

    kind: Literal["added", "removed", "changed"]
    id: str
    title: str
    fields: tuple[ChangedField, ...]


class Section(Record):
    """What differs in one part of the evidence."""

    name: str
    title: str
    compared: Annotated[int, Field(ge=0)]
    """How many things either release has."""
    changes: tuple[Change, ...]
    not_compared: Annotated[str | None, Field(exclude_if=_absent)] = None
    """Why nothing was compared."""

    def count(self, kind: Literal["added", "removed", "changed"]) -> int:
        """How many changes are of a kind."""
        return sum(one.kind == kind for one in self.changes)


class MeasuredTwice(Record):
    """A measure of one class, as each evaluation states it. The intervals are of each alone."""

    measure: AggregateName
    of_class: OfClass = None
    old: Interval | None
    new: Interval | None


class Measures(Record):
    """The figures on the sealed test set."""

    values: tuple[MeasuredTwice, ...]
    unit: Annotated[LengthUnit | None, Field(exclude_if=_absent)] = None
    """Of distances; None: the evaluations have different ones, or one is missing."""
    paired: Annotated[Comparison | None, Field(exclude_if=_absent)] = None
    """New minus old on the same cases, by independent group."""
    not_paired: Annotated[str | None, Field(exclude_if=_absent)] = None
    """Why there is no paired comparison."""


class ReleaseDifference(Record):
    """Everything that differs between two releases."""

    format: Literal["minivess-release-difference/1"] = FORMAT
    old: ComparedRelease
    new: ComparedRelease
    sections: tuple[Section, ...]
    measures: Measures

    @property
    def changed(self) -> tuple[Section, ...]:
        """The parts in which something differs, and those that were not compared."""
        return tuple(one for one in self.sections if one.changes or one.not_compared is not None)
