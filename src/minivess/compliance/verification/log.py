"""Judging a log: form, order, payloads, signatures under the register at each index, and the signed Merkle root.

Two steps an entry. The first is cheap and goes in order: canonical form, place, who may act, the tree. The second, its
signature and its fields against the records, depends on nothing but the entry and a key, and is spread over cores when
the log is long. Memory does not grow with the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from multiprocessing import get_context
from os import sched_getaffinity
from typing import Any

from pydantic import ValidationError

from minivess.compliance.identity.keys import verify
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import SignedCheckpoint, parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.compliance.proofs.shape import parser_of
from minivess.compliance.rules.admission import NotStartedError, admit, needs_record
from minivess.compliance.rules.restores import RESTORED, check_root
from minivess.compliance.rules.standing import Standing
from minivess.compliance.verification.belief import LogAtHand, believe, keys_by_roots, known_head, vouching
from minivess.compliance.verification.trust import Trust
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, MinivessError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import ENTRY_FORMAT, Details, Entry, EntryBody, Outcome
from minivess.records.log.payloads import PAYLOADS, check_payload, observed
from minivess.records.people.identity import PublicKey
from minivess.records.verdict import Check

MAX_ENTRY = 1 << 20
"""Bytes of one entry, and of its details."""
ENTRIES, SIGNATURES, CHECKPOINT, ROOT = "log entries", "log signatures", "log checkpoint", "log completeness"
CONTINUED, TRUSTED, RESTORES = "log continuity", "log trust", "log restored"

Pair = tuple[bytes, bytes | None]
"""The canonical bytes of an entry and of its details; None when it has none, or they were erased."""

_Placed = tuple[int, bytes, bytes | None, PublicKey]
"""Index, bytes, details and key of an entry whose place and actor are right; its signature is still to be judged."""

_Alike = tuple[str, str, str, str, int | None]
"""All that `admit` looks at in an entry without effect: key, actor, action, outcome, and the entry that it ends."""

_CHUNK = 1000
_WORTH_A_POOL = 5000
_AHEAD = 8
"""Chunks that wait for a core before reading goes on."""
_PREFIX, _SUFFIX = b'{"body":', b',"signature":""}'
_loosely = parser_of(Entry, free="body.payload", limit=MAX_ENTRY)
_exactly = parser_of(Entry, free="body.payload", limit=MAX_ENTRY, exact=True)
_details = parser_of(Details, free="payload", limit=MAX_ENTRY, exact=True)


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
            _judge(item)
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
    long = run.announced > _WORTH_A_POOL
    pool = ProcessPoolExecutor(len(sched_getaffinity(0)), get_context("spawn")) if long else None
    with pool or nullcontext():
        return run.checks(_in_chunks(items, pool)), run.register


def _trust(trust: Trust | PublicKey | None) -> Trust | None:
    return Trust.of_key(trust) if isinstance(trust, PublicKey) else trust


def read_entry(line: bytes, index: int) -> Entry:
    """One entry from its canonical bytes, refusing every other spelling of the same entry.

    Raises:
        VerificationError: not canonical, not an entry, or not what the record writes back.
    """
    _parse(line, index)
    return _entry(line, index)


def read_details(details: bytes, entry: Entry) -> Details:
    """The details of an entry, which must be what it commits to.

    Raises:
        VerificationError: they are others, or malformed.
    """
    index = entry.body.index
    if digest_bytes(details) != entry.body.details:
        raise VerificationError(f"the details of entry {index} were changed: they are not those that it names")
    try:
        _told(details, index)
        return Details.model_validate_json(details)
    except ValidationError:
        raise VerificationError(f"the details of entry {index} are malformed") from None


def check_signature(entry: Entry, key: PublicKey) -> None:
    """Check the actor's signature over the canonical body.

    Raises:
        VerificationError: it is wrong.
    """
    try:
        verify(key, canonical(entry.body), from_base64(entry.signature))
    except MinivessError:
        raise _changed(entry.body) from None


def _changed(body: Any) -> _SignatureError:
    return _SignatureError(f"entry {body.index} ({body.action}) was changed, or was not signed by {body.actor}")


class _SignatureError(VerificationError):
    """An entry is not its actor's, or not theirs to append."""


class _MalformedError(VerificationError):
    """Bytes are no entry."""


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
        except _SignatureError as error:
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

    def placed(self, pairs: Iterable[Pair], progress: Callable[[int], None] = lambda _: None) -> Iterator[_Placed]:
        """The entries in order, each once everything but its own signature and fields was found right.

        Raises:
            VerificationError: the first entry for which it was not.
        """
        if self._fault is not None:
            return
        index, leaves, stops = -1, list[bytes](), frozenset(size - 1 for size in self._roots)
        last, time, origin = None, "", self.origin
        for index, (line, details) in enumerate(pairs):
            body = _parse(line, index)
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
                    self._check_restored(_entry(line, index).body)
            leaves.append(leaf_hash(line))
            if len(leaves) == _CHUNK or index in stops:
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
            raise _SignatureError(f"entry {body.index} ({body.action}): {error.message}") from None

    def _key(self, index: int, line: bytes, body: Any, details: bytes | None, alike: _Alike) -> PublicKey:
        """The key that must have signed an entry; the entry is admitted to the log as far as it was judged."""
        before, action, key = self.standing, body.action, body.key
        if (found := self._alike.get(alike)) is not None:
            return found
        try:
            entry = _entry(line, index) if not index or needs_record(before, action) else None
            if entry is not None:
                _check_fields(entry.body, details)
            after = admit(before, body if entry is None else entry.body)
            known = self._keys.get(key)
            if known is None or not index:
                known = self._keys[key] = (before if index else after).register.key(key, index).signing_key
            if entry is not None and action in REGISTER_ACTIONS:
                check_signature(entry, known)
        except _MalformedError:
            raise
        except NotStartedError as error:
            raise VerificationError(f"entry {index}: {error.message}") from None
        except VerificationError as error:
            where = "" if error.message.startswith(f"entry {index}") else f"entry {index} ({action}): "
            raise _SignatureError(where + error.message) from None
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
            raise _SignatureError("entry 0 does not create the log")

    def _check_erasures(self) -> None:
        unexplained = self._bare - self.register.erased
        if unexplained:
            raise VerificationError(
                f"the details of entry {min(unexplained)} are missing, and no later entry says that they were erased"
            )


def _judge(item: _Placed) -> None:
    """The second step: the fields against the records, the payload against its declaration, the signature.

    Raises:
        VerificationError: names what is wrong.
    """
    index, line, details, key = item
    entry = _fields(line, index)
    body, signature = entry.body, entry.signature
    _check_fields(body, details)
    signed = line[len(_PREFIX) : -len(_SUFFIX) - len(signature.encode("utf-8"))]
    try:
        verify(key, signed, from_base64(signature))
    except MinivessError:
        raise _changed(body) from None


def _check_fields(body: Any, details: bytes | None) -> None:
    """Check the payload of an entry, naming the entry.

    Raises:
        VerificationError: it is not what its action declares.
    """
    try:
        _check_payload(body, details)
    except MinivessError as error:
        raise _MalformedError(f"entry {body.index}: {error.message}") from None


def _check_payload(body: Any, details: bytes | None) -> None:
    told = None if details is None else _told(details, body.index)
    payload = body.payload
    if body.action not in PAYLOADS:
        check_payload(body.action, payload, complete=False)
    if observed(body.action):
        if payload:
            raise VerificationError("its payload belongs into its details")
        if told is None and body.details is not None:
            return  # erased
        payload = {} if told is None else told.payload
    elif told is not None and told.payload:
        raise VerificationError("its payload belongs into the entry itself")
    check_payload(body.action, payload, complete=body.outcome == Outcome.COMPLETED)


def _parse(line: bytes, index: int) -> Any:
    """The body of an entry that is canonical JSON with an entry's fields: what order and tree need of it.

    Quicker than the record and laxer: what texts must look like is left to `_entry`.
    """
    try:
        body = _loosely(line).body
    except InputError as error:
        raise _malformed(index, error) from None
    if body.format != ENTRY_FORMAT:
        raise VerificationError(f"entry {index} is of a format that this version does not know")
    return body


def _fields(line: bytes, index: int) -> Any:
    """An entry as its record declares it, no field missing or spelled in another way."""
    try:
        entry = _exactly(line)
        datetime.fromisoformat(entry.body.time)
    except InputError as error:
        raise _malformed(index, error) from None
    except ValueError:
        raise _malformed(index, InputError("see its body.time")) from None
    return entry


def _told(details: bytes, index: int) -> Any:
    try:
        return _details(details)
    except InputError:
        raise VerificationError(f"the details of entry {index} are malformed") from None


def _entry(line: bytes, index: int) -> Entry:
    """The record of an entry."""
    _fields(line, index)
    try:
        return Entry.model_validate_json(line, strict=True)
    except ValidationError:
        raise _malformed(index, InputError("see its fields")) from None


def _malformed(index: int, error: InputError) -> _MalformedError:
    return _MalformedError(f"entry {index} is not an audit entry: {error.message}")


def _in_chunks(items: Iterable[_Placed], pool: ProcessPoolExecutor | None) -> Iterator[None]:
    """The second step for all entries, in this process or in others; raises for the first that is wrong."""
    if pool is None:
        for item in items:
            _judge(item)
            yield
        return
    waiting: deque[Future[tuple[bool, str] | None]] = deque()
    fault: MinivessError | None = None
    source, chunk = iter(items), list[_Placed]()
    while True:
        try:
            chunk = []
            chunk.extend(islice(source, _CHUNK))
        except MinivessError as error:  # entries before it may be wrong as well: those come first
            fault = error
        if chunk:
            keys = list({key.key_id: key for *_, key in chunk}.values())
            places = {key.key_id: place for place, key in enumerate(keys)}
            rows = [(line, details, places[key.key_id]) for _, line, details, key in chunk]
            waiting.append(pool.submit(_judge_chunk, chunk[0][0], rows, keys))
        done = fault is not None or not chunk
        while waiting and (done or len(waiting) > _AHEAD):
            found = waiting.popleft().result()
            if found is not None:
                pool.shutdown(cancel_futures=True)
                raise (_SignatureError if found[0] else VerificationError)(found[1])
            yield
        if fault is not None:
            raise fault
        if done:
            return


def _judge_chunk(
    start: int, rows: Sequence[tuple[bytes, bytes | None, int]], keys: Sequence[PublicKey]
) -> tuple[bool, str] | None:
    """Judge consecutive entries; None, or whether the signature was at fault and in words what is wrong."""
    for index, (line, details, key) in enumerate(rows, start):
        try:
            _judge((index, line, details, keys[key]))
        except MinivessError as error:
            return isinstance(error, _SignatureError), error.message
    return None


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
