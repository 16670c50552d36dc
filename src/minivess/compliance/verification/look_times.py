"""Which times of a look were attested by others, and which are the machine's own.

A look at the test set counts for what it is worth when its criteria were fixed before its request, and its approval before its
result. The log's clock says so; it is its operator's clock. An entry `time.attested` holds a cosignature or a time stamp of a
checkpoint: whatever the checkpoint covers existed at that time at the latest, and whatever comes after the entry was made
later, for nobody can foretell a cosignature or a time stamp.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.compliance.rules.looks import ACTIONS as TEST_SET_ACTIONS
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.verification.belief import vouching
from minivess.compliance.verification.trust import Trust
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.witnessed import TimeAttested

ATTESTED = "time.attested"
ACTIONS = TEST_SET_ACTIONS | {ATTESTED}
"""The actions that have to be among the entries; others may be left out when the lines of all are given."""


@dataclass(frozen=True)
class Attestation:
    """A checkpoint that others saw.

    Attributes:
        index: of the entry that holds their word.
        size: entries that the checkpoint covers.
        time: when they saw it, at the latest.
        by: who.
    """

    index: int
    size: int
    time: datetime
    by: str


@dataclass(frozen=True)
class Phase:
    """One step of a look that must come before the next one.

    Attributes:
        name: `criteria` (before the request) or `approval` (before the result).
        index: its entry.
        time: by the clock of the machine.
        attested: by whom it was seen before the next step; None: by nobody who is trusted.
    """

    name: str
    index: int
    time: datetime
    attested: Attestation | None

    def words(self) -> str:
        """A few words for a verdict."""
        if self.attested is None:
            return f"{self.name}: the machine's own time, {timestamp(self.time)}"
        return f"{self.name}: attested by {self.attested.by}, {timestamp(self.attested.time)} at the latest"


@dataclass(frozen=True)
class LookTimes:
    """The phases of one look."""

    number: int
    request: str
    phases: tuple[Phase, ...]

    @property
    def attested(self) -> bool:
        """Whether every phase was attested."""
        return all(phase.attested is not None for phase in self.phases)

    def words(self) -> str:
        """One line for a verdict."""
        return f"look {self.number} ({self.request}): " + "; ".join(phase.words() for phase in self.phases)


@implements("REQ-168")
def look_times(
    entries: Sequence[Entry],
    trust: Trust | None,
    authorities: bytes | None = None,
    *,
    lines: Iterable[bytes] | None = None,
) -> tuple[LookTimes, ...]:
    """Say of each look which of its phases were attested before the next one.

    Args:
        entries: of a log that was verified: all of them, or with `lines` those of `ACTIONS`.
        trust: whose cosignatures count: its witnesses, as far as its quorum is met.
        authorities: PEM certificates of the time authorities that are trusted.
        lines: the canonical bytes of all entries of the log.

    Returns:
        The looks in order. What is not attested by somebody who is trusted has the machine's own time.
    """
    history = LookHistory.fold(entries)
    attested = attestations(entries, trust, authorities, lines=lines)
    times = {entry.body.index: entry.body.time for entry in entries}
    found: list[LookTimes] = []
    for look in history.looks():
        if look.requested is None:
            continue
        request, asked = look.requested.request, look.requested.index
        plan = history.plans.get(request.plan)
        fixed = max(history.criteria.get(request.criteria, asked), asked if plan is None else plan.index)
        results = [run.index for run in history.runs.get(request.id, ()) if run.result is not None]
        end = min(results, default=None)
        phases = (
            _phase("criteria", fixed, asked, times, attested),
            _phase("approval", look.opening.index, end, times, attested),
        )
        found.append(LookTimes(look.number, request.id, phases))
    return tuple(found)


@implements("REQ-168")
def look_times_in_words(entries: Sequence[Entry], trust: Trust | None, *, lines: Iterable[bytes] | None = None) -> str:
    """The phases of every look in a sentence each, for a verdict; see `look_times`."""
    looks = look_times(entries, trust, lines=lines)
    return ". ".join(look.words() for look in looks) or "there was no look at the test set"


@implements("REQ-168")
def attestations(
    entries: Sequence[Entry],
    trust: Trust | None,
    authorities: bytes | None = None,
    *,
    lines: Iterable[bytes] | None = None,
) -> tuple[Attestation, ...]:
    """The `time.attested` entries whose checkpoint is this log's and whose word is that of somebody who is trusted."""
    stated = [one.body for one in entries if one.body.action == ATTESTED and one.body.outcome is Outcome.COMPLETED]
    sizes = {size for body in stated if isinstance(size := body.payload.get("size"), int)}
    whole = (canonical(one) for one in entries) if lines is None else lines
    roots = _roots(whole, sizes) if sizes else {}
    found: list[Attestation] = []
    for body in stated:
        try:
            said = TimeAttested.model_validate(body.payload)
            checkpoint = parse_note(said.note).checkpoint
            ours = (checkpoint.origin, checkpoint.size, checkpoint.root) == (
                body.log,
                said.size,
                roots.get(said.size),
            )
            if not ours or said.size > body.index:
                continue
            seen = _seen(said, trust, authorities)
        except (ValidationError, InputError, VerificationError):
            continue
        if seen is not None:
            found.append(Attestation(body.index, said.size, *seen))
    return tuple(found)


def _roots(lines: Iterable[bytes], sizes: Collection[int]) -> dict[int, bytes]:
    """The root of the first entries of a log, for some numbers of them."""
    frontier, found = Frontier(), dict[int, bytes]()
    for line in lines:
        frontier.append(leaf_hash(line))
        if frontier.size in sizes:
            found[frontier.size] = frontier.root()
    return found


def _seen(said: TimeAttested, trust: Trust | None, authorities: bytes | None) -> tuple[datetime, str] | None:
    """When others who are trusted saw a checkpoint, at the latest, and who."""
    if said.token is not None:
        if authorities is None:
            return None
        from minivess.compliance.proofs.timestamp import verify_timestamp  # X.509, which other attestations do not need

        stamped = verify_timestamp(said.note, from_base64(said.token), authorities)
        return stamped.time, f"a time authority (serial number {stamped.serial})"
    if trust is None or not trust.policy.witnesses:
        return None
    held = vouching(said.note, trust)
    if not held or not trust.policy.met(held):
        return None
    return datetime.fromtimestamp(max(one.time for one in held.values()), UTC), ", ".join(
        sorted(one.name for one in held.values())
    )


def _phase(
    name: str, index: int, before: int | None, times: Mapping[int, datetime], attested: Sequence[Attestation]
) -> Phase:
    """A phase whose entry must have been seen before the entry `before` was made; None: by now."""
    seen = next((one for one in attested if one.size > index and (before is None or one.index < before)), None)
    return Phase(name, index, times[index], seen)
