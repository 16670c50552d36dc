"""What relied on a key: the first question after it was stolen.

One pass over the log. An entry relies on a key when it was signed with it, carries a signature by it, was done by somebody
it let in, uses what a relying entry made, or continues what a relying entry allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from minivess.compliance.identity.register import Register
from minivess.compliance.identity.tenure import Tenure
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.log.payloads.evidence import ReleaseBuilt, ReleaseSigned
from minivess.records.log.payloads.identities import IdentityEnrolled, IdentityRotated, RootsChanged
from minivess.records.log.payloads.looks import Evaluated, LookApproved, LookOpened
from minivess.records.people.approval import Envelope

_LEAST_DIGITS = 8


@dataclass(frozen=True)
class Reliance:
    """An entry and why it relied on the key."""

    index: int
    actor: str
    action: str
    why: str


@dataclass(frozen=True)
class BlastRadius:
    """Everything that relied on a key."""

    key: str
    identity: str
    start: int
    end: int | None
    """Indices from which the key counts, and from which it counts no longer."""
    reliances: tuple[Reliance, ...]
    releases: tuple[tuple[str, str], ...]
    """Versions, each with why."""


def resolve_key(register: Register, text: str) -> str:
    """The key id that somebody means by a key id, its beginning, or an identity's id (then its newest key).

    Raises:
        UsageError: nobody's, or several could be meant.
    """
    tenures = _tenures(register)
    named = [key for key, tenure in tenures.items() if tenure.identity.id == text]
    if named:
        return named[-1]
    begun = [key for key in tenures if len(text) >= _LEAST_DIGITS and key.startswith(text.lower())]
    if len(begun) != 1:
        known = ", ".join(sorted({tenure.identity.id for tenure in tenures.values()}))
        raise UsageError(
            f"{text!r} names {'more than one key' if begun else 'no key'} of this log",
            hint=f"give a key id, its first {_LEAST_DIGITS} digits or more, or one of: {known}",
        )
    return begun[0]


@implements("REQ-059")
def blast_radius(entries: Iterable[Entry], key: str, register: Register) -> BlastRadius:
    """List every entry and release that relied on a key.

    Args:
        entries: the whole log, in order.
        key: a key id of the register.
        register: the state after the last entry.
    """
    tenure = _tenures(register)[key]
    search = _Search(key)
    for entry in entries:
        search.take(entry.body)
    return BlastRadius(
        key, tenure.identity.id, tenure.start, tenure.end, tuple(search.found), tuple(search.releases.items())
    )


def _tenures(register: Register) -> dict[str, Tenure]:
    """Everybody's, and those of the log's own keys."""
    return {**register.tenures, **{one.identity.signing_key.key_id: one for one in register.log_keys}}


@dataclass
class _Search:
    key: str
    found: list[Reliance] = field(default_factory=list)
    releases: dict[str, str] = field(default_factory=dict)
    let_in: dict[str, int] = field(default_factory=dict)
    """Keys that a relying entry enrolled, with its index."""
    made: dict[str, int] = field(default_factory=dict)
    """Digests that a relying entry made, with its index."""
    allowed: dict[str, int] = field(default_factory=dict)
    """Requests that a relying entry made, granted or opened, with its index."""

    def take(self, body: EntryBody) -> None:
        """One more entry, in order."""
        why = self._why(body)
        if why is None:
            return
        self.found.append(Reliance(body.index, body.actor, body.action, why))
        if body.outcome is not Outcome.COMPLETED:
            return
        self.made |= {item.digest: body.index for item in body.outputs if item.digest not in self.made}
        action, payload = body.action, body.payload
        if action == "identity.enrolled":
            self.let_in[IdentityEnrolled.model_validate(payload).identity.signing_key.key_id] = body.index
        elif action == "identity.rotated":
            self.let_in[IdentityRotated.model_validate(payload).identity.signing_key.key_id] = body.index
        elif action == "roots.changed":
            roots = RootsChanged.model_validate(payload).roots
            self.let_in |= {root.signing_key.key_id: body.index for root in roots}
        elif action == "test-set.approve":
            self.allowed[LookApproved.model_validate(payload).grant.request] = body.index
        elif action == "test-set.open":
            self.allowed[LookOpened.model_validate(payload).request] = body.index
        elif action == "release.build":
            self.releases.setdefault(ReleaseBuilt.model_validate(payload).version, f"entry {body.index}: {why}")
        elif action == "release.sign":
            self.releases.setdefault(ReleaseSigned.model_validate(payload).version, f"entry {body.index}: {why}")

    def _why(self, body: EntryBody) -> str | None:
        if body.key == self.key:
            return "signed with this key"
        if body.key in self.let_in:
            return f"signed with a key that entry {self.let_in[body.key]} let in"
        return (self._why_completed(body) if body.outcome is Outcome.COMPLETED else None) or self._why_used(body)

    def _why_completed(self, body: EntryBody) -> str | None:
        signed = {seal.keyid for envelope in envelopes_of(body) for seal in envelope.signatures}
        if self.key in signed:
            return "carries a signature by this key"
        request = _request_of(body)
        if request in self.allowed:
            return f"continues what entry {self.allowed[request]} allowed"
        if body.action == "release.build" and self.found:
            return f"its pack contains the log, with {len(self.found)} entries that relied on the key"
        return None

    def _why_used(self, body: EntryBody) -> str | None:
        used = [item.digest for item in body.inputs] + [body.context.model, body.context.data]
        for digest in used:
            if digest in self.made:
                return f"uses what entry {self.made[digest]} made"
        return None


def envelopes_of(body: EntryBody) -> list[Envelope]:
    """The signed approvals that a completed entry carries."""
    if body.action == "test-set.approve":
        return [LookApproved.model_validate(body.payload).grant.envelope]
    if body.action == "release.sign":
        return [ReleaseSigned.model_validate(body.payload).envelope]
    if body.action == "roots.changed":
        return list(RootsChanged.model_validate(body.payload).envelopes)
    return []


def _request_of(body: EntryBody) -> str:
    if body.action == "test-set.open":
        return LookOpened.model_validate(body.payload).request
    if body.action == "evaluation":
        return Evaluated.model_validate(body.payload).request
    return ""
