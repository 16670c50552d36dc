"""Who held which key and role at which index: a pure fold over the log.

Rules, applied to completed entries of three actions:

- `log.created` is entry 0. It names the log key and the roots; its actor is one of the roots. Roots count from index 0.
- `identity.enrolled` at index *e* counts from *e* + 1. Its actor is a root, or a person with the role release-manager.
- `identity.revoked` at index *r*: the key counts for entries below *r* and never again. Its actor is a root or a
  release manager, and somebody other than the one who is revoked. By index, not by date: a thief can backdate.
- No key is ever enrolled twice, and an id has one valid key at a time: two people cannot share a key.
- A service has the role `service` alone, a person never has it; demo identities live in demo logs only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pydantic import ValidationError

from minivess.compliance.identity.keys import load_public
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.entry import Entry, Outcome
from minivess.records.identity import Identity, IdentityKind, PublicKey, Role
from minivess.records.payloads import IdentityEnrolled, IdentityRevoked, LogCreated

_NO_TENURES: Mapping[str, Tenure] = MappingProxyType({})


@dataclass(frozen=True)
class Tenure:
    """An identity's key and the indices it counts for: from `start` on, below `end`."""

    identity: Identity
    start: int
    end: int | None = None

    def covers(self, index: int) -> bool:
        """Whether the key counts at an index."""
        return self.start <= index and (self.end is None or index < self.end)


@implements("REQ-009")
@dataclass(frozen=True)
class Register:
    """Everybody the log knows. A value: `extend` returns another one."""

    size: int = 0
    """Index of the last folded entry, plus one: the state is that after this many entries."""
    created: LogCreated | None = None
    tenures: Mapping[str, Tenure] = field(default=_NO_TENURES)
    """By key id."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Register:
        """The state after these entries, in order; entries of other actions may be left out.

        Raises:
            VerificationError: an entry breaks a rule; the message names its index.
        """
        register = cls()
        for entry in entries:
            register = register.extend(entry)
        return register

    def extend(self, entry: Entry) -> Register:
        """The state after one more entry. Signatures are not this function's matter.

        Raises:
            VerificationError: the entry breaks a rule; the message names its index.
        """
        body = entry.body
        if body.index < self.size:
            raise VerificationError(f"entry {body.index} comes after entry {self.size - 1}")
        later = replace(self, size=body.index + 1)
        if body.outcome is not Outcome.COMPLETED:
            return later
        try:
            if body.action == "log.created":
                return later._create(entry, LogCreated.model_validate(body.payload))
            if body.action == "identity.enrolled":
                return later._enrol(entry, IdentityEnrolled.model_validate(body.payload).identity)
            if body.action == "identity.revoked":
                return later._revoke(entry, IdentityRevoked.model_validate(body.payload).identity)
        except (ValidationError, InputError):
            raise VerificationError(f"entry {body.index} ({body.action}) has a malformed payload") from None
        return later

    def key(self, key_id: str, index: int) -> Identity:
        """Whose key this is at an index.

        Raises:
            VerificationError: nobody's, not yet, or no longer.
        """
        tenure = self.tenures.get(key_id)
        if tenure is None:
            raise VerificationError(f"key {key_id[:12]} is not enrolled in the log")
        if index < tenure.start:
            raise VerificationError(f"the key of {tenure.identity.id} was enrolled after entry {index}")
        if not tenure.covers(index):
            raise VerificationError(f"the key of {tenure.identity.id} was revoked at entry {tenure.end}")
        return tenure.identity

    def person(self, id: str, index: int | None = None) -> Identity:  # noqa: A002
        """The identity of that id whose key counts at an index (default: now, after the last entry).

        Raises:
            VerificationError: there is none.
        """
        at = self.size if index is None else index
        for tenure in self.tenures.values():
            if tenure.identity.id == id and tenure.covers(at):
                return tenure.identity
        raise VerificationError(f"{id!r} is not enrolled in the log, or is revoked")

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Everybody whose key counts now, in order of enrolment."""
        return tuple(tenure.identity for tenure in self.tenures.values() if tenure.covers(self.size))

    @property
    def log_key(self) -> PublicKey:
        """The key that signs checkpoints."""
        return self._creation.log_key

    @property
    def roots(self) -> tuple[Identity, ...]:
        """The identities the log began with."""
        return self._creation.roots

    @property
    def device(self) -> str:
        """The device the log is for."""
        return self._creation.device

    @property
    def demo(self) -> bool:
        """Whether this is the log of a demonstration: every root is a demo identity."""
        return self.created is not None and all(item.demo for item in self.created.roots)

    @property
    def _creation(self) -> LogCreated:
        if self.created is None:
            raise VerificationError("the log does not begin with log.created")
        return self.created

    def _create(self, entry: Entry, created: LogCreated) -> Register:
        body = entry.body
        if body.index != 0 or self.created is not None:
            raise VerificationError(f"entry {body.index} creates the log a second time")
        if created.threshold > len(created.roots):
            raise VerificationError("entry 0 asks for more roots than it names")
        load_public(created.log_key)
        if len({item.demo for item in created.roots}) != 1:
            raise VerificationError("entry 0 mixes demo and real identities")
        register = replace(self, created=created)
        for item in created.roots:
            register = register._add(item, start=0, index=0)
        register._actor(entry)
        return register

    def _enrol(self, entry: Entry, identity: Identity) -> Register:
        self._authority(entry)
        if identity.demo and not self.demo:
            raise VerificationError(f"entry {entry.body.index} enrols demo keys of {identity.id} in a real log")
        return self._add(identity, start=entry.body.index + 1, index=entry.body.index)

    def _revoke(self, entry: Entry, id: str) -> Register:  # noqa: A002
        index = entry.body.index
        if self._authority(entry).id == id:
            raise VerificationError(f"entry {index}: {id} cannot revoke their own key; somebody else must")
        try:
            identity = self.person(id, index)
        except VerificationError as error:
            raise VerificationError(f"entry {index} revokes somebody who is not there: {error.message}") from None
        key_id = identity.signing_key.key_id
        return replace(self, tenures={**self.tenures, key_id: replace(self.tenures[key_id], end=index)})

    def _add(self, identity: Identity, *, start: int, index: int) -> Register:
        for public in filter(None, (identity.signing_key, identity.encryption_key)):
            load_public(public)
        if (identity.kind is IdentityKind.SERVICE) != (identity.roles == (Role.SERVICE,)):
            raise VerificationError(
                f"entry {index} enrols {identity.id} with roles that do not fit a {identity.kind.value}"
            )
        key_id = identity.signing_key.key_id
        if key_id in self.tenures:
            raise VerificationError(f"entry {index} enrols a key that {self.tenures[key_id].identity.id} has or had")
        if any(item.identity.id == identity.id and item.end is None for item in self.tenures.values()):
            raise VerificationError(f"entry {index} enrols {identity.id} twice")
        return replace(self, tenures={**self.tenures, key_id: Tenure(identity, start)})

    def _actor(self, entry: Entry) -> Identity:
        body = entry.body
        try:
            identity = self.key(body.key, body.index)
        except VerificationError as error:
            raise VerificationError(f"entry {body.index}: {error.message}") from None
        if identity.id != body.actor:
            raise VerificationError(f"entry {body.index}: the key is that of {identity.id}, not of {body.actor}")
        return identity

    def _authority(self, entry: Entry) -> Identity:
        actor = self._actor(entry)
        if actor not in self.roots and not (actor.kind is IdentityKind.PERSON and Role.RELEASE_MANAGER in actor.roles):
            raise VerificationError(
                f"entry {entry.body.index}: {actor.id} may not enrol or revoke; a root or a release manager may"
            )
        return actor
