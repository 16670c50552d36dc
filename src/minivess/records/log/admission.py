"""What a service needs to know of the device's log where that log is elsewhere: one file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, Slug
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import Note, ProofHash

Line = Annotated[str, Field(min_length=2, max_length=1 << 20)]
"""The canonical bytes of an entry, as text."""


class Admission(Record):
    """The end of a device's log, from the first entry that decides on, with the proof that it is all of it.

    With the roots of the complete subtrees of the first `begins` entries (RFC 6962), the entries give the Merkle root in the
    checkpoint. So none of them was left out: neither a later promotion, nor a revocation.
    """

    format: Literal["minivess-admission/1"] = "minivess-admission/1"
    model: Digest
    """The model that may be served."""
    site: Slug
    """Names the serving log."""
    checkpoint: Note
    """Of the device's log, with the cosignatures of witnesses."""
    begins: Annotated[int, Field(ge=0)]
    """Index of the first entry."""
    peaks: Annotated[tuple[ProofHash, ...], Field(max_length=63)]
    """The roots of the complete subtrees of the entries before, the largest first, base64."""
    entries: Annotated[tuple[Line, ...], Field(min_length=1, max_length=1_000_000)]
    through: Annotated[tuple[Receipt, ...], Field(min_length=2, max_length=3)]
    """Receipts of the entries that let the service in, enrolled its log and anchored it last: every answer carries them."""
