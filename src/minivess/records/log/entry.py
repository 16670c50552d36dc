"""The audit entry: what is signed, chained and shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.artifact import Artifact
from minivess.records.base import Moment, Record, ShortText, Slug

ENTRY_FORMAT: Final = "minivess-entry/2"


class Outcome(StrEnum):
    """How an action stands at the time of the entry."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"


EVENT_OF_OUTCOME: Final[dict[Outcome, Literal["START", "COMPLETE", "FAIL", "ABORT"]]] = {
    Outcome.STARTED: "START",
    Outcome.COMPLETED: "COMPLETE",
    Outcome.FAILED: "FAIL",
    Outcome.REFUSED: "ABORT",
}
"""The type of the OpenLineage event of an entry."""


class Context(Record):
    """Under what circumstances something was done. A field is None where it does not apply, never where it was forgotten."""

    git_commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    git_dirty: bool | None = None
    data: Digest | None = None
    dvc: Annotated[str, StringConstraints(pattern=r"^md5:[0-9a-f]{32}(\.dir)?$")] | None = None
    model: Digest | None = None
    configuration: Digest | None = None
    environment: Digest | None = None
    """Digest of the lock file of the source tree."""
    device: ShortText | None = None
    seed: Annotated[int, Field(gt=-(2**53), lt=2**53)] | None = None
    mlflow_run: ShortText | None = None
    openlineage_run: UUID | None = None


class Act(Record):
    """What was done, how it ended, and with what: the part of an entry that its author knows."""

    action: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$", max_length=64)]
    outcome: Outcome
    context: Context = Context()
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    started: Annotated[int, Field(ge=0)] | None = None
    """Index of the entry that announced this action."""
    payload: dict[str, Any] = Field(default_factory=dict)
    """Validated against the payload model of the action (`records.log.payloads`)."""


class Draft(Act):
    """What an action wants recorded; the log adds where it stands, when, and the signature."""

    error: ShortText | None = None


class Details(Record):
    """What may be erased: the payload of an action nothing is derived from, and the words of an error.

    An entry names the SHA-256 of this record's canonical JSON. The salt keeps anybody from guessing erased details by
    trying values against that digest.
    """

    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{21}[AQgw]==$")]
    """16 random bytes, base64."""
    payload: dict[str, Any]
    error: ShortText | None


class EntryBody(Act):
    """The signed part of an entry. Its signature covers its canonical JSON, which fixes log, place, time and actor."""

    format: Literal["minivess-entry/2"] = ENTRY_FORMAT
    log: ShortText
    """Origin of the log, as in its checkpoints: an entry cannot be moved to another log."""
    index: Annotated[int, Field(ge=0)]
    time: Moment
    actor: Slug
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    details: Digest | None = None
    """Commitment to the entry's details, which stand beside the log and can be erased; None when there are none."""


class Entry(Record):
    """A body and its actor's signature (base64). The canonical JSON of this record is the Merkle leaf."""

    body: EntryBody
    signature: str
