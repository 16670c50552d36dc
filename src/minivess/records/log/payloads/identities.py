"""Payloads about the log itself, its roots and the people and services that act in it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug
from minivess.records.log.action_table import AdoptedRules
from minivess.records.log.witnessed import Checked
from minivess.records.people.approval import Envelope
from minivess.records.people.identity import Identity, PublicKey

ActionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*$", max_length=64)]


class LogCreated(Record):
    """The first entry: what device the log is for, which key signs its checkpoints, and who its roots are."""

    device: Slug
    log_key: PublicKey
    roots: Annotated[tuple[Identity, ...], Field(min_length=1)]
    threshold: Annotated[int, Field(ge=1)]
    serves: ShortText | None = None
    """Of a serving log: the origin of the device's log. Its only root is the service that answers."""
    rules: AdoptedRules | None = None
    """The action table the log follows from its beginning; None: table 1, the rules of version 0.1.0."""
    checked: Annotated[dict[Slug, Checked], Field(max_length=64)] | None = None
    """What the actor checked about the roots, by id."""


class IdentityEnrolled(Record):
    """An identity may act from this index on."""

    identity: Identity
    actions: Annotated[tuple[ActionName, ...], Field(min_length=1, max_length=32)] | None = None
    """The actions a service may append. None for people, and for services enrolled by version 0.1.0."""
    checked: Checked | None = None
    """What the actor checked about a person."""


class IdentityRevoked(Record):
    """A key no longer counts from this index on."""

    identity: Slug
    reason: ShortText


class IdentityRotated(Record):
    """Somebody goes on under a new signing key; the old one counts no longer."""

    identity: Identity
    """The same id, name, kind and roles with the new signing key."""
    possession: str
    """Base64 signature by the new key over `possession_statement`: whoever rotates holds it."""


class UnlockFailed(Record):
    """A wrong passphrase was given for an identity."""

    identity: Slug
    attempt: Annotated[int, Field(ge=1)]
    """How many in a row."""


class IdentityUnlocked(Record):
    """The right passphrase was given after wrong ones, as this entry's signature shows."""

    identity: Slug


class IdentityLocked(Record):
    """Too many wrong passphrases in a row: nobody unlocks this identity until it is reinstated."""

    identity: Slug
    attempts: Annotated[int, Field(ge=1)]


class IdentityRefused(Record):
    """Somebody acted whose key does not count (any more), so that no entry of their own could say so."""

    identity: Slug
    """Who they said they are."""
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    attempted: ShortText
    """The action."""


class IdentityReinstated(Record):
    """A locked identity may be unlocked again."""

    identity: Slug
    reason: ShortText


class RootsChanged(Record):
    """Other roots or another log key, as agreed by a threshold of the old roots and a threshold of the new ones."""

    roots: Annotated[tuple[Identity, ...], Field(min_length=1)]
    threshold: Annotated[int, Field(ge=1)]
    envelopes: Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=64)]
    """One signed approval a root, of the digest of the new roots and threshold, and of the new log key."""
    log_key: PublicKey | None = None
    """The key that signs checkpoints from this entry on; None: the one in use."""
    possession: str | None = None
    """Base64 signature by the new log key over `possession_statement`: whoever changes to it holds it."""

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if (self.log_key is None) != (self.possession is None):
            raise ValueError("a new log key requires a proof of possession")
        return self


class EntryErased(Record):
    """The details of an earlier entry were deleted; its commitment stays in the tree."""

    entry: Annotated[int, Field(ge=0)]
    reason: ShortText
