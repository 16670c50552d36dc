"""The audit entry: what is signed, chained and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.artifact import Artifact
from minivess.records.base import Moment, Record, ShortText, Slug

ENTRY_FORMAT: Final = "minivess-entry/1"


class Outcome(StrEnum):
    """How an action stands at the time of the entry."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"


class Context(Record):
    """Under what circumstances something was done. A field is None where it does not apply, never where it was forgotten."""

    git_commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    git_dirty: bool | None = None
    data: Digest | None = None
    dvc: Annotated[str, StringConstraints(pattern=r"^md5:[0-9a-f]{32}(\.dir)?$")] | None = None
    model: Digest | None = None
    configuration: Digest | None = None
    environment: Digest | None = None
    """Digest of the lock file (`uv.lock`)."""
    device: ShortText | None = None
    seed: int | None = None
    mlflow_run: ShortText | None = None
    openlineage_run: UUID | None = None


class Draft(Record):
    """What an action wants recorded; the log adds where it stands, when, and the signature."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$", max_length=64)]
    outcome: Outcome
    context: Context = Context()
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    started: Annotated[int, Field(ge=0)] | None = None
    """Index of the entry that announced this action."""
    payload: dict[str, Any] = Field(default_factory=dict)
    """Validated against the payload model of the action (`records.payloads`)."""
    error: ShortText | None = None


class EntryBody(Draft):
    """The signed part of an entry. Its signature covers its canonical JSON, which fixes log, place, time and actor."""

    format: Literal["minivess-entry/1"] = ENTRY_FORMAT
    log: ShortText
    """Origin of the log, as in its checkpoints: an entry cannot be moved to another log."""
    index: Annotated[int, Field(ge=0)]
    time: Moment
    actor: Slug
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Entry(Record):
    """A body and its actor's signature (base64). The canonical JSON of this record is the Merkle leaf."""

    body: EntryBody
    signature: str
