"""What entries say of checkpoints: who cosigns them, when others saw them, and what a restored backup gave up."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText

SignedNote = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""A C2SP signed note of a checkpoint, with the signatures that matter."""
Root = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""A Merkle root of 32 bytes in base64, as checkpoints write it."""
Size = Annotated[int, Field(ge=1, le=2**53 - 1)]
"""A number of entries."""


class Checked(Record):
    """What was checked before somebody may sign (21 CFR 11.100(b), 11.10(i)). The actor of the entry checked it."""

    document: ShortText
    """The document of identity: its kind and where a copy is kept, not its number."""
    training: ShortText
    """The record of training."""


class WitnessAnnounced(Record):
    """A person names the Ed25519 key with which they cosign checkpoints of this log."""

    key: Annotated[str, StringConstraints(max_length=400)]
    """The C2SP verifier key, type 4 (cosignature/v1), named `<origin>/<id>`."""


class LogRestored(Record):
    """The log goes on from a backup: what was seen of it beyond that is given up."""

    size: Size
    """Entries that the backup had; this entry has this index."""
    root: Root
    """Of these entries."""
    abandoned: Annotated[tuple[SignedNote, ...], Field(min_length=1, max_length=64)]
    """The signed checkpoints that were seen and that this log does not continue."""
    reason: ShortText


class TimeAttested(Record):
    """Others saw a checkpoint of this log, and so everything before it, at a time of their own clock at the latest."""

    kind: Literal["rfc3161", "cosignature"]
    size: Size
    note: Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]
    """The checkpoint, with the cosignatures."""
    token: Annotated[str, StringConstraints(max_length=90_000)] | None = None
    """Base64 of the RFC 3161 response."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.kind == "rfc3161") != (self.token is not None):
            raise ValueError("an RFC 3161 response comes with its token, a cosignature without")
        return self
