"""Who may call the service: a pure fold over the entries of the device's log about API keys."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from pydantic import ValidationError

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.callers import CallerCreated, CallerRevoked, CallerRotated, Scope
from minivess.records.log.entry import Entry, Outcome

CREATED, ROTATED, REVOKED = "caller.created", "caller.rotated", "caller.revoked"
CALLER_ACTIONS = frozenset({CREATED, ROTATED, REVOKED})


@dataclass(frozen=True)
class HeldKey:
    """The digest of a key, and the moment from which it does not count."""

    digest: str
    until: datetime


@dataclass(frozen=True)
class Caller:
    """Somebody who may call, and within which limits.

    Attributes:
        id: named in the entry of each answer.
        scopes: what they may do.
        keys: the newest last; those that ended are among them.
        requests_a_minute: how often.
        body_bytes: the largest request; None: what the service takes of anybody.
        revoked: why; empty while they may call.
    """

    id: str
    scopes: frozenset[Scope]
    keys: tuple[HeldKey, ...]
    requests_a_minute: int
    body_bytes: int | None = None
    revoked: str = ""


@implements("REQ-445", "RC-183")
@dataclass(frozen=True)
class Callers:
    """Every caller that the log ever named, by id. A value: `extend` returns another one."""

    known: Mapping[str, Caller] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Callers:
        """Read it from entries in order; entries of other actions are passed over.

        An entry that changes a caller who was not created, or who was revoked, has no effect: two people can act at the same
        time, and what is in a log cannot be taken back.

        Raises:
            VerificationError: an entry is malformed; the message has its index.
        """
        callers = cls()
        for entry in entries:
            callers = callers.extend(entry)
        return callers

    def extend(self, entry: Entry) -> Callers:
        """The callers after one more entry."""
        body = entry.body
        if body.action not in CALLER_ACTIONS or body.outcome is not Outcome.COMPLETED:
            return self
        try:
            changed = _CHANGES[body.action](self, body.payload, body.time)
        except ValidationError:
            raise VerificationError(f"entry {body.index} ({body.action}) has a malformed payload") from None
        return self if changed is None else Callers(MappingProxyType({**self.known, changed.id: changed}))

    def __bool__(self) -> bool:
        """Whether there ever was a caller with a key; from then on each caller needs one."""
        return bool(self.known)

    @implements("REQ-446", "RC-183")
    def holder(self, key: str, now: datetime) -> Caller | None:
        """Whose key it is; None: nobody's who may call now.

        Every digest is compared, each in constant time, so that the time says nothing of them.
        """
        shown = digest_bytes(key.encode("utf-8", errors="surrogatepass"))
        found: Caller | None = None
        for caller in self.known.values():
            for held in caller.keys:
                if hmac.compare_digest(shown, held.digest) and _counts(held, now):
                    found = caller
        return found


@implements("REQ-446", "RC-184")
def _counts(held: HeldKey, now: datetime) -> bool:
    """Whether a key has not ended."""
    return now < held.until


def _create(_: Callers, payload: dict[str, object], __: datetime) -> Caller:
    told = CallerCreated.model_validate(payload)
    return Caller(
        told.caller,
        frozenset(told.scopes),
        (HeldKey(told.digest, told.expires),),
        told.requests_a_minute,
        told.body_bytes,
    )


def _rotate(callers: Callers, payload: dict[str, object], now: datetime) -> Caller | None:
    told = CallerRotated.model_validate(payload)
    before = callers.known.get(told.caller)
    if before is None or before.revoked:
        return None
    kept = tuple(HeldKey(one.digest, min(one.until, told.overlap)) for one in before.keys if one.until > now)
    return replace(before, keys=(*kept, HeldKey(told.digest, told.expires)))


def _revoke(callers: Callers, payload: dict[str, object], now: datetime) -> Caller | None:
    told = CallerRevoked.model_validate(payload)
    before = callers.known.get(told.caller)
    if before is None:
        return None
    ended = tuple(HeldKey(one.digest, min(one.until, now)) for one in before.keys)
    return replace(before, keys=ended, revoked=told.reason)


_CHANGES = {CREATED: _create, ROTATED: _rotate, REVOKED: _revoke}
