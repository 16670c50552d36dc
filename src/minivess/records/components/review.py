"""What the release checks found in the licences and known vulnerabilities of what ships (`bom/review.json` of a pack)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from minivess.records.artifact import Tool
from minivess.records.base import Record
from minivess.records.components.scan import Snapshot

REVIEW_FORMAT: Literal["minivess-component-review/1"] = "minivess-component-review/1"
Sentence = Annotated[str, StringConstraints(max_length=2_000)]
Sentences = Annotated[tuple[Sentence, ...], Field(max_length=10_000)]


class CheckedComponents(Record):
    """The components that were looked at, and what is against a release."""

    looked_at: Annotated[int, Field(ge=0)]
    offenders: Sentences
    """Each in one sentence."""
    notes: Sentences = ()
    """What a reader must know besides, each in one sentence."""


class ComponentReview(Record):
    """Licences and vulnerabilities of what ships."""

    format: Literal["minivess-component-review/1"]
    tool: Tool
    licences: CheckedComponents
    vulnerabilities: CheckedComponents | None
    """None: no scan of this lock file."""
    snapshot: Snapshot | None
    """The database that the vulnerabilities were looked up in."""
    snapshot_days: int | None
    """Its age at the release, in days."""
