"""Judging a log: form, order, payloads, signatures under the register at each index, and the signed Merkle root.

Two steps an entry. The first is cheap and goes in order: canonical form, place, who may act, the tree. The second, its
signature and its fields against the records, depends on nothing but the entry and a key, and is spread over cores when
the log is long. Memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.checkpoint import SignedCheckpoint, parse_note
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.compliance.rules.admission import NotStartedError, admit, needs_record
from minivess.compliance.rules.restores import RESTORED, check_root
from minivess.compliance.rules.standing import Standing
from minivess.compliance.verification.belief import LogAtHand, believe, keys_by_roots, known_head, vouching
from minivess.compliance.verification.log_entries import (
    CHUNK,
    MalformedError,
    Pair,
    Placed,
    SignatureError,
    check_fields,
    check_signature,
    judge,
    judge_in_chunks,
    parse_body,
    strict_entry,
)
from minivess.compliance.verification.trust import Trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors
from minivess.records.log.entry import Entry, EntryBody, Outcome
from minivess.records.people.identity import PublicKey
from minivess.records.verdict import Check

ENTRIES, SIGNATURES, CHECKPOINT, ROOT = "log entries", "log signatures", "log checkpoint", "log completeness"
CONTINUED, TRUSTED, RESTORES = "log continuity", "log trust", "log restored"
_Alike = tuple[str, str, str, str, int | None]
"""All that `admit` looks at in an entry without effect: key, actor, action, outcome, and the entry that it ends."""
_WORTH_A_POOL = 5000


@implements("REQ-002", "RC-06")
def verify_entries(
    pairs: Iterable[Pair],
    checkpoint: str,
    *,
    trust: Trust | PublicKey | None = None,
) -> tuple[list[Check], Standing, list[Entry]]:
    """Judge a log that fits in memory, and hand out what it says.

    Args:
        pairs: each entry and its details, in order.
        checkpoint: the signed note that must cover exactly these entries.
        trust: what the verifier knows from elsewhere, or the log's key alone; without it the log's own first entry is
            believed. The log may be older than a checkpoint that the trust file knows.

    Returns:
        The checks in order (the first that fails names the first bad entry by its index), the state of the log after the
        last good entry, and the good entries. Judgement stops at the first bad entry.
    """
    entries: list[Entry] = []
    run = _Run(checkpoint, _trust(trust))

    def judged() -> Iterator[None]:
        for item in run.placed(pairs):
            judge(item)
            entries.append(Entry.model_validate_json(item[1]))
            yield

    checks = run.checks(judged())
    return checks, replace(run.standing, register=run.register), entries


@implements("REQ-002", "REQ-063", "RC-06")
def verify_log(
    pairs: Iterable[Pair],
    checkpoint: str,
    *,
    trust: Trust | PublicKey | None = None,
    known: str | bytes | None = None,
    quick: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> tuple[list[Check], Register]:
    """Judge a log of any length.

    Args:
        pairs: each entry and its details, in order.
        checkpoint: the signed note that must cover exactly these entries.
        trust: as for `verify_entries`; but this is the log as it is now, and has all that the trust file knows.
        known: a checkpoint of this log that was seen before: the log must continue it.
        quick: believe the log's signature under the checkpoint instead of checking each actor's own. Entries about
            identities are checked whole either way.
        progress: hears how many entries were judged.

    Returns:
        The checks in order, as `verify_entries`, and the register after the last good entry.
    """
    run = _Run(checkpoint, _trust(trust), quick=quick, known=known, now=True)
    items = run.placed(pairs, progress)
    if quick:
        return run.checks(items), run.register
    if run.announced <= _WORTH_A_POOL:
        return run.checks(judge_in_chunks(items, None)), run.register
    from concurrent.futures import ProcessPoolExecutor  # most logs are short, and a pack's is judged in this process
    from multiprocessing import get_context

    with ProcessPoolExecutor(usable_processors(), get_context("spawn")) as pool:
        return run.checks(judge_in_chunks(items, pool)), run.register


def _trust(trust: Trust | PublicKey | None) -> Trust | None:
    return Trust.of_key(trust) if isinstance(trust, PublicKey) else trust


@dataclass
class _Run:
    """One judgement of one log: what has to be kept from entry to entry."""

    checkpoint: str
    trusted: Trust | None
    quick: bool = False
    known: str | bytes | None = None
    now: bool = False
    """Whether this is the log as it is now, not an older copy."""
    standing: Standing = field(default_factory=Standing)
    frontier: Frontier = field(default_factory=Frontier)
    origin: str = ""
    announced: int = 0
    """Number of entries that the checkpoint claims."""
    _bare: set[int] = field(default_factory=set)
    """Entries whose details are not there."""
    _keys: dict[str, PublicKey] = field(default_factory=dict)
    """Keys that were found in the register since the last entry about identities."""
    _alike: dict[_Alike, PublicKey] = field(default_factory=dict)
    """Entries that `admit` let in without any effect since then."""
    _note: SignedCheckpoint | None = None
    _seen: SignedCheckpoint | None = None
    _roots: dict[int, bytes | None] = field(default_factory=dict)
    """Roots of the first n entries, by n, where a checkpoint of n was seen before."""
    _fault: MinivessError | None = None

    def __post_init__(self) -> None:
        try:
            self._seen = None if self.known is None else parse_note(self.known)
            self._note = parse_note(self.checkpoint)
            self.origin, self.announced = self._note.checkpoint.origin, self._note.checkpoint.size
            before = None if self.trusted is None else known_head(self.trusted, self.origin)
        except MinivessError as error:
            self._fault = error
            return
        sizes = (None if self._seen is None else self._seen.checkpoint.size, None if before is None else before.size)
        self._roots = {size: None for size in sizes if size is not None}

    @property
    def register(self) -> Register:
        """Who may act after the last good entry."""
        return self.standing.people_at(self.frontier.size)

    def checks(self, judged: Iterable[object]) -> list[Check]:
        """Judge to the end, or to the first thing that is wrong."""
        if self._note is None or self._fault is not None:
            return [Check(name=CHECKPOINT, passed=False, detail="" if self._fault is None else self._fault.message)]
        try:
            for _ in judged:
                pass
            self._check_erasures()
        except SignatureError as error:
            return [Check(name=ENTRIES, passed=True, detail="well formed so far"), _no(SIGNATURES, error)]
        except MinivessError as error:
            return [_no(ENTRIES, error)]
        count = self.frontier.size
        if not count:
            return [Check(name=ENTRIES, passed=False, detail="the log is empty")]
        erased = f", the details of {len(self._bare)} erased" if self._bare else ""
        form = f"{count} entries of {self.origin} in canonical form, in order, none missing{erased}"
        keys = "vouched for by the checkpoint" if self.quick else "signed by keys that counted at their index"
        rules = self.standing.rules.number
        keys += f", permitted by action table {rules}" + (" (the rules of version 0.1.0)" if rules == 1 else "")
        return [
            Check(name=ENTRIES, passed=True, detail=form),
            Check(name=SIGNATURES, passed=True, detail=f"{count} entries {keys}"),
            *(Check(name=RESTORES, passed=True, detail=one.words()) for one in self.standing.restores),
            *_check_head(self._note, self.register, self.frontier),
            *self._check_continued(),
            *self._check_trust(),
        ]

    def _check_trust(self) -> list[Check]:
        """Whether the verifier's own keys, witnesses and known checkpoint agree."""
        if self.trusted is None:
            return []
        origin = self.origin
        try:
            keys = keys_by_roots(self.register, self.trusted, origin, self.announced)
            roots = {size: root for size, root in self._roots.items() if root is not None}
            at_hand = LogAtHand(origin, self.frontier.size if self.now else None, roots, keys)
            believe(self.checkpoint, self.trusted, at_hand)
        except MinivessError as error:
            return [_no(TRUSTED, error)]
        names = ", ".join(one.name for one in vouching(self.checkpoint, self.trusted).values())
        vouched = f", vouched for by {names}" if names else ""
        return [Check(name=TRUSTED, passed=True, detail=f"signed by a key of {origin} that you trust{vouched}")]

    def _check_continued(self) -> list[Check]:
        """Whether the log continues the checkpoint that was seen before."""
        if self._seen is None:
            return []
        seen = self._seen.checkpoint
        try:
            self._seen.verify(self.origin, self.register.log_key_at(seen.size))
            if seen.size > self.frontier.size:
                raise VerificationError(
                    f"the log was rolled back: {seen.size} entries were signed before, {self.frontier.size} are here: "
                    f"entry {self.frontier.size} is missing"
                )
            if self._roots[seen.size] != seen.root:
                raise VerificationError(
                    f"two histories: the first {seen.size} entries are not those that were signed before"
                )
        except MinivessError as error:
            return [_no(CONTINUED, error)]
        return [Check(name=CONTINUED, passed=True, detail=f"continues the {seen.size} entries seen before")]

    def placed(self, pairs: Iterable[Pair], progress: Callable[[int], None] = lambda _: None) -> Iterator[Placed]:
        """The entries in order, each once everything but its own signature and fields was found right.

        Raises:
            VerificationError: the first entry for which it was not.
        """
        if self._fault is not None:
            return
        index, leaves, stops = -1, list[bytes](), frozenset(size - 1 for size in self._roots)
        last, time, origin = None, "", self.origin
        for index, (line, details) in enumerate(pairs):
            body = parse_body(line, index)
            if body.index != index or body.log != origin or body.time < time or not index:
                self._check_place(index, body, time)
            time = body.time
            if details is None:
                if body.details is not None:
                    self._bare.add(index)
            elif digest_bytes(details) != body.details:
                raise VerificationError(f"the details of entry {index} were changed: they are not those that it names")
            alike = (body.key, body.actor, body.action, body.outcome, body.started)
            if alike != last:
                key = self._key(index, line, body, details, alike)
                last = alike if alike in self._alike else None
                if body.action == RESTORED:
                    self.frontier.extend(leaves)
                    leaves = []
                    self._check_restored(strict_entry(line, index).body)
            leaves.append(leaf_hash(line))
            if len(leaves) == CHUNK or index in stops:
                self.frontier.extend(leaves)
                leaves = []
                progress(index + 1)
                if index in stops:
                    self._roots[index + 1] = self.frontier.root()
            yield index, line, details, key
        self.frontier.extend(leaves)
        progress(index + 1)

    def _check_restored(self, body: EntryBody) -> None:
        try:
            check_root(body, self.frontier.root())
        except VerificationError as error:
            raise SignatureError(f"entry {body.index} ({body.action}): {error.message}") from None

    def _key(self, index: int, line: bytes, body: Any, details: bytes | None, alike: _Alike) -> PublicKey:
        """The key that must have signed an entry; the entry is admitted to the log as far as it was judged."""
        before, action, key = self.standing, body.action, body.key
        if (found := self._alike.get(alike)) is not None:
            return found
        try:
            entry = strict_entry(line, index) if not index or needs_record(before, action) else None
            if entry is not None:
                check_fields(entry.body, details)
            after = admit(before, body if entry is None else entry.body)
            known = self._keys.get(key)
            if known is None or not index:
                known = self._keys[key] = (before if index else after).register.key(key, index).signing_key
            if entry is not None and action in REGISTER_ACTIONS:
                check_signature(entry, known)
        except MalformedError:
            raise
        except NotStartedError as error:
            raise VerificationError(f"entry {index}: {error.message}") from None
        except VerificationError as error:
            where = "" if error.message.startswith(f"entry {index}") else f"entry {index} ({action}): "
            raise SignatureError(where + error.message) from None
        if after.allowed is not before.allowed:  # whatever was known of keys may have changed
            self._keys, self._alike = {}, {}
        elif after is before and entry is None and body.started is None:
            self._alike[alike] = known
        self.standing = after
        return known

    def _check_place(self, index: int, body: Any, before: str) -> None:
        stands, action, outcome, time = body.index, body.action, body.outcome, body.time
        if stands != index:
            what = f"entry {index} is missing: entry {stands} is in its place"
            raise VerificationError(what if stands > index else f"entry {stands} occurs twice, again at {index}")
        if body.log != self.origin:
            raise VerificationError(f"entry {index} belongs to the log {body.log}, not to {self.origin}")
        if time < before:
            raise VerificationError(f"entry {index} is dated before the entry that precedes it")
        if index == 0 and (action != "log.created" or outcome != Outcome.COMPLETED):
            raise SignatureError("entry 0 does not create the log")

    def _check_erasures(self) -> None:
        unexplained = self._bare - self.register.erased
        if unexplained:
            raise VerificationError(
                f"the details of entry {min(unexplained)} are missing, and no later entry says that they were erased"
            )


def _check_head(note: SignedCheckpoint, register: Register, frontier: Frontier) -> list[Check]:
    checkpoint = note.checkpoint
    try:
        note.verify(checkpoint.origin, register.log_key_at(checkpoint.size))
    except MinivessError as error:
        return [_no(CHECKPOINT, error)]
    checks = [Check(name=CHECKPOINT, passed=True, detail=f"signed by the key of {checkpoint.origin}")]
    if checkpoint.size != frontier.size:
        first = min(checkpoint.size, frontier.size)
        state = "is missing" if frontier.size < checkpoint.size else "was added after it"
        detail = f"the checkpoint covers {checkpoint.size} entries, {frontier.size} are here: entry {first} {state}"
        return [*checks, Check(name=ROOT, passed=False, detail=detail)]
    if checkpoint.root != frontier.root():
        detail = "the Merkle root of the entries is not the one in the checkpoint: an entry was replaced"
        return [*checks, Check(name=ROOT, passed=False, detail=detail)]
    return [
        *checks,
        Check(name=ROOT, passed=True, detail=f"the Merkle root of {frontier.size} entries is the signed one"),
    ]


def _no(name: str, error: MinivessError) -> Check:
    return Check(name=name, passed=False, detail=error.message)
