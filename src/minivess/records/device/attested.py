"""What a pack says of its source tree that no verifier derives from the pack alone (`release/attested.json`).

A named version of a named tool found it; `release.prepare` binds the file by its digest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.records.artifact import Tool
from minivess.records.base import Record, ShortText
from minivess.records.items.items import ItemId

ATTESTED_FORMAT: Literal["minivess-attested/1"] = "minivess-attested/1"
Text = Annotated[str, StringConstraints(max_length=10_000)]


def _absent(value: object) -> bool:
    return value is None


class AttestedGap(Record):
    """A gap of the traceability check that is open."""

    kind: ShortText
    item: Text
    message: Text


class JustifiedGap(AttestedGap):
    """A gap for which a justification counts."""

    remark: Text
    """Who justified it, until when, and why."""


class KnownAnomaly(Record):
    """An open problem (IEC 62304 5.8.2)."""

    id: ItemId
    title: ShortText


AttestedKind = Literal["clauses", "drafts", "expiries", "licences", "suspects", "units", "vulnerabilities"]
"""Kinds of gates whose figure is the number of offenders that a tool found."""


@implements("REQ-550")
class Counted(Record):
    """What a tool found for the gates of one kind: how many things it looked at, and which of them offend."""

    about: Annotated[str, StringConstraints(max_length=200)]
    """The standard, of `clauses`; empty for the other kinds."""
    kind: AttestedKind
    of: Annotated[int, Field(ge=0)]
    """How many things were looked at."""
    offenders: Annotated[tuple[Text, ...], Field(max_length=100_000)]
    """One sentence each, in order."""
    source: Annotated[ShortText | None, Field(exclude_if=_absent)] = None
    """What the tool looked them up in: for example a data base of vulnerabilities, with its day."""


class Approvable(Record):
    """Something of the source tree that has to be approved, as it stands now."""

    digest: Digest
    subject: ShortText
    """As `trace.approve` names it."""


class AnomalyCondition(Record):
    """A line of what an open problem means for safety, and of the condition under which it may remain (IEC 62304 5.8.3)."""

    id: ItemId
    text: ShortText


class ReviewCount(Record):
    """How many links between items have a signed review of their present content."""

    signed: Annotated[int, Field(ge=0)]
    links: Annotated[int, Field(ge=0)]


class Attested(Record):
    """Gaps, open clauses and known anomalies of one source tree. Each list is in order of its texts."""

    format: Literal["minivess-attested/1"]
    tool: Tool
    tree: Digest
    """Of the files of the source tree."""
    gaps: Annotated[tuple[AttestedGap, ...], Field(max_length=100_000)]
    justified: Annotated[tuple[JustifiedGap, ...], Field(max_length=100_000)]
    open_clauses: Annotated[tuple[Text, ...], Field(max_length=10_000)]
    anomalies: Annotated[tuple[KnownAnomaly, ...], Field(max_length=10_000)]

    missing_chapters: Annotated[tuple[Text, ...] | None, Field(max_length=10_000, exclude_if=_absent)] = None
    """Chapters of documents that are owed and not written; None in packs of tools that did not look."""
    counted: Annotated[tuple[Counted, ...] | None, Field(max_length=1_000, exclude_if=_absent)] = None
    """By kind, and of clauses by standard; None in packs of tools that did not count."""
    approvable: Annotated[tuple[Approvable, ...] | None, Field(max_length=1_000, exclude_if=_absent)] = None
    """What has to be approved; None in packs of tools that did not look."""

    conditions: Annotated[
        tuple[AnomalyCondition, ...], Field(max_length=100_000, exclude_if=lambda rows: not rows)
    ] = ()
    """Of the anomalies, in their order; a long text has several lines."""
    reviews: Annotated[tuple[ReviewCount, ...], Field(max_length=1, exclude_if=lambda rows: not rows)] = ()
    """None in packs of tools that did not count."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        keys: tuple[tuple[str, list[tuple[Any, ...]]], ...] = (
            ("gaps", [tuple(gap_key(one)) for one in self.gaps]),
            ("justified", [(*gap_key(one), one.remark) for one in self.justified]),
            ("open_clauses", [(one,) for one in self.open_clauses]),
            ("anomalies", [(one.id, one.title) for one in self.anomalies]),
            ("missing_chapters", [(one,) for one in self.missing_chapters or ()]),
            ("counted", [(one.about, one.kind, one.of, one.offenders) for one in self.counted or ()]),
            *((f"offenders of {one.kind}", [(said,) for said in one.offenders]) for one in self.counted or ()),
            ("approvable", [(one.digest, one.subject) for one in self.approvable or ()]),
        )
        for name, found in keys:
            if any(before > after for before, after in pairwise(found)):
                raise ValueError(f"`{name}` is not in order")
        return self


class GapKey(NamedTuple):
    """The order of gaps: by their fields, in the order of the names of the fields."""

    item: str
    kind: str
    message: str


def gap_key(gap: AttestedGap) -> GapKey:
    """By what gaps are ordered."""
    return GapKey(gap.item, gap.kind, gap.message)
