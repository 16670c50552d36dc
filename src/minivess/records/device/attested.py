"""What a pack says of its source tree that no verifier derives from the pack alone (`release/attested.json`).

A named version of a named tool found it; `release.prepare` binds the file by its digest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText
from minivess.records.device.preparation import Tool
from minivess.records.items.items import ItemId

ATTESTED_FORMAT: Literal["minivess-attested/1"] = "minivess-attested/1"
Text = Annotated[str, StringConstraints(max_length=10_000)]


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

    missing_chapters: Annotated[
        tuple[Text, ...] | None, Field(max_length=10_000, exclude_if=lambda missing: missing is None)
    ] = None
    """Chapters of documents that are owed and not written; None in packs of tools that did not look."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        keys: tuple[tuple[str, list[tuple[str, ...]]], ...] = (
            ("gaps", [tuple(gap_key(one)) for one in self.gaps]),
            ("justified", [(*gap_key(one), one.remark) for one in self.justified]),
            ("open_clauses", [(one,) for one in self.open_clauses]),
            ("anomalies", [(one.id, one.title) for one in self.anomalies]),
            ("missing_chapters", [(one,) for one in self.missing_chapters or ()]),
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
