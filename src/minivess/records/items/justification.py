"""Justifications: why something that is missing may be missing, who says so, and until when.

One justifies a clause (`IEC 62304 5.3.5`), a check (`R02`), a hazard of machine learning (`MLH-15`) or a gap of the
traceability check (`untested-requirement REQ-012`). What is justified is never counted as met, and never left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import Annotated, get_args

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from minivess.records.base import Record, Slug, Statement
from minivess.records.items.items import Source
from minivess.records.items.trace import Gap

UNJUSTIFIABLE = {
    "unknown-id": "correct the id",
    "duplicate-id": "give one of the two another id",
    "wrong-target": "name an item of an allowed kind",
    "circular-link": "take one link out of the circle",
    "nothing-to-check": "write what is missing",
    "unacceptable-risk": "control the risk further, or weigh benefit against it in the risk file (ISO 14971 7.4)",
}
"""Gaps that nobody can justify, by kind, with what to do instead: mistakes in the files, and what the risk plan forbids."""

_GAP_KINDS = frozenset[str](get_args(Gap.model_fields["kind"].annotation))
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_WORDS = 3


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _may_be_justified(subject: str) -> str:
    if not subject:
        raise ValueError("name what is justified")
    kind, _, item = subject.partition(" ")
    if kind in UNJUSTIFIABLE:
        raise ValueError(f"`{kind}` cannot be justified: {UNJUSTIFIABLE[kind]}")
    if kind in _GAP_KINDS and not item:
        raise ValueError(f"`{kind}` alone would justify every such gap: name the item as well")
    return subject


def _says_something(reason: str) -> str:
    if len(re.findall(r"\w{2,}", reason)) < _WORDS:
        raise ValueError("a reason says in a sentence why this may be missing")
    return reason


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("is a day, written as 2027-06-30")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value} is no day of the calendar") from None


class Justification(Record):
    """Why a gap is accepted until a date."""

    subject: Annotated[
        str, StringConstraints(max_length=300), AfterValidator(_one_line), AfterValidator(_may_be_justified)
    ]
    """The id of a clause, check or ML hazard, or the kind of a gap and the item that has it."""
    reason: Annotated[Statement, AfterValidator(_says_something)]
    """Why the gap is accepted."""
    owner: Slug
    """The person who answers for it."""
    expires: Annotated[date, BeforeValidator(_day)]
    """The last day on which it counts; from the next day on, the gap is open again."""
    source: Source

    @property
    def gap(self) -> bool:
        """Whether this is about a gap of the traceability check."""
        return self.subject.partition(" ")[0] in _GAP_KINDS

    def counts(self, today: date) -> bool:
        """Whether it still counts on a day."""
        return today <= self.expires


def applicable(
    justifications: Iterable[Justification], today: date
) -> tuple[tuple[Justification, ...], tuple[Justification, ...]]:
    """Part justifications into those that count today and those that have expired, each in the order given."""
    given = tuple(justifications)
    return tuple(one for one in given if one.counts(today)), tuple(one for one in given if not one.counts(today))


def match(justifications: Iterable[Justification], subject: str) -> Justification | None:
    """The justification of a subject that counts longest; None where nobody justified it."""
    wanted = _one_line(subject)
    found = [one for one in justifications if one.subject == wanted]
    return max(found, key=lambda one: one.expires, default=None)


def subject_of(gap: Gap) -> str:
    """How a justification names a gap: its kind and its item."""
    return _one_line(f"{gap.kind} {gap.item}")


def match_gap(justifications: Iterable[Justification], gap: Gap) -> Justification | None:
    """The justification of a gap that counts longest; None where there is none or the gap cannot be justified."""
    return None if gap.kind in UNJUSTIFIABLE else match(justifications, subject_of(gap))


def doubled(justifications: Iterable[Justification]) -> tuple[Justification, ...]:
    """Justifications of something that an earlier one justifies already."""
    seen: set[str] = set()
    found = []
    for one in justifications:
        if one.subject in seen:
            found.append(one)
        seen.add(one.subject)
    return tuple(found)


def idle(justifications: Iterable[Justification], subjects: Collection[str]) -> tuple[Justification, ...]:
    """Justifications of nothing among `subjects`: the gap was closed, or the subject is misspelt. Remove or mend them."""
    known = {_one_line(subject) for subject in subjects}
    return tuple(one for one in justifications if one.subject not in known)
