"""Who held which key and role at which index: a pure fold over the log.

Rules, applied to completed entries:

- `log.created` is entry 0. It names the log key, the roots and their threshold; its actor is a root. Roots count from 0.
- The log's own key acts as the service `log`, for the entries about passphrases and about who was turned away alone.
- `identity.enrolled` at index *e* counts from *e* + 1. Its actor is a root, or a person with the role release-manager.
- `identity.rotated` at *e*: the actor's old key counts below *e* + 1, the new one from there on. Both signed. Roots do not
  rotate alone.
- `identity.revoked` at *r*: the key counts for entries below *r* and never again. Its actor is a root or a release
  manager, and somebody other than the one who is revoked. By index, not by date: a thief can backdate.
- `roots.changed` takes a threshold of the old and a threshold of the new roots, and counts from the next index. A root
  that is named again with another key has rotated. It may name another log key, which then signs every checkpoint that
  covers this entry; the old one still counts for smaller ones.
- `identity.unlock-failed` counts wrong passphrases in a row, `identity.unlocked` ends the row, `identity.locked` follows
  the fifth, and `identity.reinstated`, by somebody else, lifts it. What a session signs that was unlocked before still counts.
- `entry.erased` is by a root or a release manager, and names an earlier entry that was not erased before.
- No key is ever enrolled twice, an id has one valid key at a time, and no two valid people have one printed name.
- A service has the role `service` alone, a person never has it; demo identities live in demo logs only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.keys import load_public
from minivess.compliance.identity.roots import Roots, check_change
from minivess.compliance.identity.tenure import Tenure, plain_name, possession_shown
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.log.payloads.identities import (
    EntryErased,
    IdentityEnrolled,
    IdentityLocked,
    IdentityReinstated,
    IdentityRevoked,
    IdentityRotated,
    IdentityUnlocked,
    LogCreated,
    RootsChanged,
    UnlockFailed,
)
from minivess.records.people.identity import LOG_IDENTITY, Identity, KeyAlgorithm, PublicKey
from minivess.records.people.roles import IdentityKind, Role

ATTEMPTS = 5
"""Wrong passphrases in a row that lock an identity."""
_NO_TENURES: Mapping[str, Tenure] = MappingProxyType({})
_NO_FAILURES: Mapping[str, int] = MappingProxyType({})


@implements("REQ-009")
@dataclass(frozen=True)
class Register:
    """Everybody the log knows. A value: `extend` returns another one."""

    size: int = 0
    """Index of the last folded entry, plus one: the state is that after this many entries."""
    created: LogCreated | None = None
    tenures: Mapping[str, Tenure] = field(default=_NO_TENURES)
    """By key id."""
    failures: Mapping[str, int] = field(default=_NO_FAILURES)
    """Wrong passphrases in a row, by id."""
    locked: frozenset[str] = frozenset()
    """Ids that nobody unlocks until they are reinstated."""
    erased: frozenset[int] = frozenset()
    """Entries whose details were erased."""
    current: Roots | None = None
    """The roots in force."""
    log_keys: tuple[Tenure, ...] = ()
    """The keys that signed checkpoints, in order: each for sizes, and as the service `log` for entries, from its start."""

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
        later = self.advance(body.index)
        fold = _FOLDS.get(body.action)
        if fold is None or body.outcome is not Outcome.COMPLETED:
            return later
        try:
            return fold(later, entry, PAYLOADS[body.action].model_validate(body.payload))
        except (ValidationError, InputError):
            raise VerificationError(f"entry {body.index} ({body.action}) has a malformed payload") from None

    def advance(self, index: int) -> Register:
        """The state after an entry that is none of `REGISTER_ACTIONS`.

        Raises:
            VerificationError: the entry comes before one that was folded.
        """
        if index < self.size:
            raise VerificationError(f"entry {index} comes after entry {self.size - 1}")
        return Register(
            index + 1,
            self.created,
            self.tenures,
            self.failures,
            self.locked,
            self.erased,
            self.current,
            self.log_keys,
        )

    def check_actor(self, key_id: str, actor: str, index: int) -> Identity:
        """Who signs an entry at this index.

        Raises:
            VerificationError: the key does not count at that index, or is another actor's.
        """
        identity = self.key(key_id, index)
        if identity.id != actor:
            raise VerificationError(f"the key is that of {identity.id}, not of {actor}")
        return identity

    def key(self, key_id: str, index: int) -> Identity:
        """Whose key this is at an index.

        Raises:
            VerificationError: nobody's, not yet, or no longer.
        """
        tenure = self.tenures.get(key_id) or self._log_tenure(key_id)
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
        """The key that signs checkpoints now."""
        if not self.log_keys:
            raise VerificationError("the log does not begin with log.created")
        return self.log_keys[-1].identity.signing_key

    def log_key_at(self, size: int) -> PublicKey:
        """The key that signs the checkpoint of `size` entries."""
        return next((one.identity.signing_key for one in self.log_keys if one.covers(size)), self.log_key)

    @property
    def roots(self) -> tuple[Identity, ...]:
        """The roots in force."""
        return self._roots.members

    @property
    def threshold(self) -> int:
        """How many of them must agree on who the roots are."""
        return self._roots.threshold

    @property
    def valid_roots(self) -> tuple[Identity, ...]:
        """Those roots whose key counts now."""
        return tuple(one for one in self.roots if self.tenures[one.signing_key.key_id].covers(self.size))

    def state(self, id: str) -> str:  # noqa: A002
        """In a word how an id stands: `valid`, `locked`, `revoked` or `not enrolled`."""
        known = [tenure for tenure in self.tenures.values() if tenure.identity.id == id]
        if not known:
            return "not enrolled"
        if not any(tenure.covers(self.size) for tenure in known):
            return "revoked"
        return "locked" if id in self.locked else "valid"

    @property
    def _roots(self) -> Roots:
        if self.current is None:
            raise VerificationError("the log does not begin with log.created")
        return self.current

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
        if len({item.demo for item in created.roots}) != 1:
            raise VerificationError("entry 0 mixes demo and real identities")
        register = replace(self, created=created, current=Roots(created.roots, created.threshold))
        register = register._sign_with(created.log_key, start=0)
        for item in created.roots:
            register = register._add(item, start=0, index=0)
        register._actor(entry)
        return register

    def _enrol(self, entry: Entry, enrolled: IdentityEnrolled) -> Register:
        self._authority(entry)
        identity = enrolled.identity
        if identity.demo and not self.demo:
            raise VerificationError(f"entry {entry.body.index} enrols demo keys of {identity.id} in a real log")
        return self._add(identity, start=entry.body.index + 1, index=entry.body.index)

    @implements("REQ-052")
    def _rotate(self, entry: Entry, rotated: IdentityRotated) -> Register:
        index, old, new = entry.body.index, self._actor(entry), rotated.identity
        if old in self.roots:
            raise VerificationError(f"entry {index}: {old.id} is a root, and root keys change by `roots.changed`")
        if new.model_copy(update={"signing_key": old.signing_key}) != old:
            raise VerificationError(f"entry {index} rotates the key of {old.id} and changes something else as well")
        if not possession_shown(entry, old.id, (old.signing_key, new.signing_key), rotated.possession):
            raise VerificationError(f"entry {index}: there is no proof that {old.id} holds the new key")
        return self._end(old, index + 1)._add(new, start=index + 1, index=index)

    @implements("REQ-052")
    def _revoke(self, entry: Entry, revoked: IdentityRevoked) -> Register:
        index, id = entry.body.index, revoked.identity  # noqa: A001
        if self._authority(entry).id == id:
            raise VerificationError(f"entry {index}: {id} cannot revoke their own key; another person must")
        try:
            identity = self.person(id, index)
        except VerificationError as error:
            raise VerificationError(f"entry {index} revokes an unknown identity: {error.message}") from None
        later = self._end(identity, index)
        if identity in self.roots and len(later.valid_roots) < later.threshold:
            raise VerificationError(
                f"entry {index}: without {id} fewer than {later.threshold} roots remain; change the roots instead"
            )
        return later

    @implements("REQ-057")
    def _change_roots(self, entry: Entry, changed: RootsChanged) -> Register:
        index = entry.body.index
        self._authority(entry)
        new = Roots(changed.roots, changed.threshold)
        try:
            check_change(self._roots, self.valid_roots, new, changed.envelopes, log_key=changed.log_key, demo=self.demo)
        except VerificationError as error:
            raise VerificationError(f"entry {index}: {error.message}") from None
        register = replace(self, current=new)
        if changed.log_key is not None:
            register = register._change_log_key(entry, changed.log_key, changed.possession or "")
        for root in new.members:
            if root.demo != self.demo:
                raise VerificationError(f"entry {index} mixes demo and real identities")
            held = register._valid(root.id)
            if held == root:
                continue
            if held is not None:
                register = register._end(held, index + 1)
            register = register._add(root, start=index + 1, index=index)
        return register

    @implements("REQ-116")
    def _change_log_key(self, entry: Entry, new: PublicKey, possession: str) -> Register:
        index = entry.body.index
        if new.key_id in self.tenures or self._log_tenure(new.key_id) is not None:
            raise VerificationError(f"entry {index} gives the log a key that another identity has or had")
        if not possession_shown(entry, LOG_IDENTITY, (self.log_key, new), possession):
            raise VerificationError(f"entry {index}: there is no proof of possession of the new key of the log")
        return self._sign_with(new, start=index + 1)

    def _log_tenure(self, key_id: str) -> Tenure | None:
        return next((one for one in self.log_keys if one.identity.signing_key.key_id == key_id), None)

    def _sign_with(self, public: PublicKey, *, start: int) -> Register:
        load_public(public)
        if public.algorithm is not KeyAlgorithm.ED25519:
            raise VerificationError("checkpoints are signed with an Ed25519 key")
        identity = Identity(
            id=LOG_IDENTITY,
            name="Audit log",
            kind=IdentityKind.SERVICE,
            roles=(Role.SERVICE,),
            signing_key=public,
            demo=self.demo,
        )
        former = tuple(one if one.end is not None else replace(one, end=start) for one in self.log_keys)
        return replace(self, log_keys=(*former, Tenure(identity, start)))

    @implements("REQ-058", "RC-17")
    def _fail(self, entry: Entry, failed: UnlockFailed) -> Register:
        count = self.failures.get(failed.identity, 0) + 1
        if failed.attempt != count:
            raise VerificationError(
                f"entry {entry.body.index} counts {failed.attempt} wrong passphrases of {failed.identity}; it is {count}"
            )
        return replace(self, failures={**self.failures, failed.identity: count})

    @implements("REQ-058", "RC-17")
    def _lock(self, entry: Entry, locked: IdentityLocked) -> Register:
        if self.failures.get(locked.identity, 0) < ATTEMPTS:
            raise VerificationError(
                f"entry {entry.body.index} locks {locked.identity} before {ATTEMPTS} wrong passphrases"
            )
        return replace(self, locked=self.locked | {locked.identity})

    def _unlocked(self, entry: Entry, unlocked: IdentityUnlocked) -> Register:
        if self._actor(entry).id != unlocked.identity or unlocked.identity in self.locked:
            raise VerificationError(f"entry {entry.body.index} unlocks {unlocked.identity}, which it cannot")
        return self._forgive(unlocked.identity)

    def _reinstate(self, entry: Entry, reinstated: IdentityReinstated) -> Register:
        id = reinstated.identity  # noqa: A001
        if self._authority(entry).id == id or id not in self.locked:
            raise VerificationError(f"entry {entry.body.index} reinstates {id}, who is not locked or does it alone")
        return replace(self._forgive(id), locked=self.locked - {id})

    @implements("REQ-062")
    def _erase(self, entry: Entry, erased: EntryErased) -> Register:
        self._authority(entry)
        if erased.entry >= entry.body.index or erased.entry in self.erased:
            raise VerificationError(
                f"entry {entry.body.index} erases entry {erased.entry} a second time, or beforehand"
            )
        return replace(self, erased=self.erased | {erased.entry})

    def _forgive(self, id: str) -> Register:  # noqa: A002
        return replace(self, failures={key: count for key, count in self.failures.items() if key != id})

    def _end(self, identity: Identity, index: int) -> Register:
        key_id = identity.signing_key.key_id
        return replace(self, tenures={**self.tenures, key_id: replace(self.tenures[key_id], end=index)})

    def _valid(self, id: str) -> Identity | None:  # noqa: A002
        return next((one.identity for one in self.tenures.values() if one.identity.id == id and one.end is None), None)

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
        if self._log_tenure(key_id) is not None:
            raise VerificationError(f"entry {index} enrols a key of the log itself")
        if self._valid(identity.id) is not None or identity.id == LOG_IDENTITY:
            raise VerificationError(f"entry {index} enrols {identity.id} twice")
        same = [
            item.identity.id
            for item in self.tenures.values()
            if item.end is None
            and identity.kind is item.identity.kind is IdentityKind.PERSON
            and plain_name(item.identity.name) == plain_name(identity.name)
        ]
        if same:
            raise VerificationError(
                f"entry {index} enrols {identity.name} as {identity.id}, who is {same[0]} already: one person, one key"
            )
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


_Fold = Callable[[Register, Entry, Any], Register]
_FOLDS: dict[str, _Fold] = {
    "log.created": Register._create,
    "identity.enrolled": Register._enrol,
    "identity.rotated": Register._rotate,
    "identity.revoked": Register._revoke,
    "identity.unlock-failed": Register._fail,
    "identity.unlocked": Register._unlocked,
    "identity.locked": Register._lock,
    "identity.reinstated": Register._reinstate,
    "roots.changed": Register._change_roots,
    "entry.erased": Register._erase,
}
REGISTER_ACTIONS = frozenset(_FOLDS)
"""The actions this fold looks at; entries of others only move it on."""
