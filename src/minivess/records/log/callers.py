"""What the device's log says of those who may call its service: the payloads of `caller.created`, `.rotated`, `.revoked`.

An API key is 256 random bits, so its SHA-256 is kept and nothing slower is needed: a slow hash protects passwords, which
people choose from few; nobody can try a noticeable part of 2**256 keys (NIST SP 800-63B-4, 3.1.2 and 3.2.2, demands salt and a
slow hash for what people choose, and a plain approved hash for secrets of 112 bits or more).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Record, ShortText, Slug

REQUESTS_A_MINUTE = 600
"""What a caller may ask in a minute where nothing else is stated."""


class Scope(StrEnum):
    """What a caller may do."""

    INFER = "infer"
    """Send images."""
    READ = "read"
    """Read earlier decisions and their receipts."""
    METRICS = "metrics"
    """Read the measurements of the service."""


class CallerCreated(Record):
    """Somebody may call the service with a key, of which this is the digest. The key itself is in no record."""

    caller: Slug
    digest: Digest
    """SHA-256 of the key's characters."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=8)]
    expires: Moment
    requests_a_minute: Annotated[int, Field(ge=1, le=1_000_000)] = REQUESTS_A_MINUTE
    body_bytes: Annotated[int | None, Field(ge=1, exclude_if=lambda size: size is None)] = None
    """The largest request in bytes; None: what the service takes of anybody."""


class CallerRotated(Record):
    """A caller has another key. The one before counts until the overlap ends."""

    caller: Slug
    digest: Digest
    expires: Moment
    overlap: Moment
    """Until then the key before counts as well, but not longer than it would have."""


class CallerRevoked(Record):
    """No key of a caller counts any longer."""

    caller: Slug
    reason: ShortText
