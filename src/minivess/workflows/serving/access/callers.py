"""Make, change and revoke the API keys of those who call the service; each change is an entry of the device's log."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from minivess.compliance.audit.callers import CALLER_ACTIONS, Caller, Callers
from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.base import Record
from minivess.records.log.callers import REQUESTS_A_MINUTE, CallerCreated, CallerRevoked, CallerRotated, Scope
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import Role
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader

__all__ = ["Caller", "Callers", "MadeKey", "callers_of", "create", "revoke", "rotate"]

PREFIX = "minivess_"
"""Of every key, so that tools that look for secrets in files find it."""
KEY_BYTES = 32
LONGEST_DAYS = 366


@dataclass(frozen=True)
class MadeKey:
    """A key, which is shown this once, and the entry that lets it count."""

    key: str
    expires: datetime
    receipt: Receipt


def callers_of(services: WorkspaceReader) -> Callers:
    """Who may call the service, as the device's log says now."""
    return Callers.fold(services.log.entries(actions=CALLER_ACTIONS))


@implements("REQ-445", "RC-183")
def create(
    services: Services,
    signer: Signer,
    caller: str,
    *,
    scopes: tuple[Scope, ...],
    days: int,
    requests_a_minute: int = REQUESTS_A_MINUTE,
    body_bytes: int | None = None,
) -> MadeKey:
    """Let somebody call the service, with a new key of 256 random bits.

    Args:
        services: the workspace.
        signer: a root or a release manager.
        caller: names them in the entries of their answers.
        scopes: what they may do.
        days: until the key expires, 366 at most.
        requests_a_minute: how often they may ask.
        body_bytes: their largest request; None: what the service takes of anybody.

    Raises:
        RefusedError: the signer may not do this.
        UsageError: there is a caller of that name who is not revoked, or a value is out of bounds.
    """
    known = callers_of(services).known.get(caller)
    if known is not None and not known.revoked:
        raise UsageError(f"there is a caller {caller}", hint=f"minivess caller rotate {caller} makes another key")
    key, expires = _new_key(services, days)
    told = _checked(
        CallerCreated,
        caller=caller,
        digest=digest_bytes(key.encode("ascii")),
        scopes=tuple(dict.fromkeys(scopes)),
        expires=expires,
        requests_a_minute=requests_a_minute,
        body_bytes=body_bytes,
    )
    return MadeKey(key, expires, _record(services, signer, "caller.created", told))


@implements("REQ-445", "RC-184")
def rotate(services: Services, signer: Signer, caller: str, *, days: int, overlap_hours: int) -> MadeKey:
    """Give a caller another key; the one before counts for a while.

    Args:
        services: the workspace.
        signer: a root or a release manager.
        caller: whose key.
        days: until the new key expires, 366 at most.
        overlap_hours: as long as the key before counts as well.

    Raises:
        RefusedError: the signer may not do this.
        UsageError: there is no such caller, or they were revoked.
    """
    _live(services, caller)
    key, expires = _new_key(services, days)
    overlap = services.clock() + timedelta(hours=overlap_hours)
    digest = digest_bytes(key.encode("ascii"))
    told = _checked(CallerRotated, caller=caller, digest=digest, expires=expires, overlap=overlap)
    return MadeKey(key, expires, _record(services, signer, "caller.rotated", told))


@implements("REQ-445", "RC-184")
def revoke(services: Services, signer: Signer, caller: str, reason: str) -> Receipt:
    """Let no key of a caller count any longer.

    Raises:
        RefusedError: the signer may not do this.
        UsageError: there is no such caller, or they were revoked before.
    """
    _live(services, caller)
    return _record(services, signer, "caller.revoked", _checked(CallerRevoked, caller=caller, reason=reason))


def _live(services: Services, caller: str) -> Caller:
    known = callers_of(services).known.get(caller)
    if known is None or known.revoked:
        words = "was revoked" if known else "is not known"
        raise UsageError(f"the caller {caller} {words}", hint="`minivess caller list` names them")
    return known


def _new_key(services: Services, days: int) -> tuple[str, datetime]:
    if not 1 <= days <= LONGEST_DAYS:
        raise UsageError(f"a key counts for 1 to {LONGEST_DAYS} days", hint="rotate it before it expires")
    return PREFIX + secrets.token_urlsafe(KEY_BYTES), services.clock() + timedelta(days=days)


def _checked[R: Record](kind: type[R], **fields: object) -> R:
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise UsageError(f"this cannot be recorded: {first_error(error)}") from None


def _record(services: Services, signer: Signer, action: str, told: Record) -> Receipt:
    allowed = signer.identity in services.log.standing.register.roots
    if not allowed and Role.RELEASE_MANAGER not in signer.identity.roles:
        raise RefusedError(
            f"{signer.identity.id} is neither a root nor a release manager", hint="ask a release manager to do this"
        )
    with recorded(services, action, signer, instant=True) as record:
        record.payload(**told.model_dump(mode="json"))
    return record.receipt
