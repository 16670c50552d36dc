"""What the entries of a serving log say, and those by which the log of the device knows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Moment, Observation, Record, ShortText, Slug
from minivess.records.people.identity import PublicKey

Note = Annotated[str, StringConstraints(min_length=1, max_length=16_384)]
"""A C2SP signed note."""

ProofHash = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""A SHA-256 hash in base64."""


class ServingEnrolled(Record):
    """A log in which a service records its answers. The entry is signed by the service."""

    origin: ShortText
    """Of the serving log: `<origin of the device's log>/serving/<site>`."""
    site: Slug
    log_key: PublicKey
    """The Ed25519 key that signs the serving log's checkpoints."""
    service: Slug
    """Who appends to it."""
    note: Note
    """Its checkpoint at this moment: later ones continue it."""


class ServingAnchored(Record):
    """A later checkpoint of a serving log, with the proof that it continues the one before."""

    origin: ShortText
    note: Note
    proof: Annotated[tuple[ProofHash, ...], Field(max_length=128)]
    """RFC 6962 consistency proof from the checkpoint that was enrolled or anchored last."""


class RefusalReason(StrEnum):
    """Why a request was turned away without an entry of its own."""

    NO_FORM = "no-form"
    """No well-formed multipart form."""
    TOO_LARGE = "too-large"
    """More bytes than are taken."""
    INCOMPLETE = "incomplete"
    """A part is missing."""
    SPACING = "spacing"
    """The voxel size is not three positive numbers."""
    VOLUME = "volume"
    """The volume could not be read."""
    HUNG_UP = "hung-up"
    """The client closed the connection before all of the request was there."""
    TOO_SLOW = "too-slow"
    """The request was not there in time."""
    UNRECORDED = "unrecorded"
    """The log could not be written, so there was no answer."""
    FAILED = "failed"
    """The service failed on it."""
    OUTSIDE_USE = "outside-intended-use"
    """The volume was read and lies outside the intended use, after more of them than get an entry of their own."""
    UNKNOWN_CALLER = "unknown-caller"
    """No key, or none that counts."""
    NOT_ALLOWED = "not-allowed"
    """A key without the scope for this."""
    FOREIGN_PAGE = "foreign-page"
    """Sent by a browser for a page of another site, or by a proxy for others, where no key is needed."""
    TOO_OFTEN = "too-often"
    """More requests than the caller may send."""
    NOT_IN_USE = "not-in-use"
    """The model may not answer at present, or this could not be found out."""
    REPEATED = "repeated"
    """Its idempotency key belongs to another request, or to one that is still being answered."""
    BUSY = "busy"
    """No place became free in time, or as many jobs are held as may be."""
    CANCELLED = "cancelled"
    """A job that its caller took back before it was judged."""


class RefusalsCounted(Observation):
    """Requests that were turned away without an entry of their own, counted by reason."""

    since: Moment
    until: Moment
    counts: Annotated[dict[RefusalReason, Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until < self.since:
            raise ValueError("a count ends before it begins")
        return self
