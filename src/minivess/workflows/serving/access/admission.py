"""Serving where the device's log is elsewhere: the file that takes its place, written beside the log and read by the service.

The file is believed by a trust file, which names the key of the log, its witnesses, and the people and services whose entries
count. It gets old: witnesses state when they saw the checkpoint, and a service does not answer by one that is too old.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from minivess.compliance.audit.callers import CALLER_ACTIONS, CREATED
from minivess.compliance.audit.promotions import Promotions
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import Frontier, leaf_hash
from minivess.compliance.proofs.serving_logs import serving_origin
from minivess.compliance.verification.belief import believe, vouching
from minivess.compliance.verification.log_entries import check_signature, read_entry
from minivess.compliance.verification.trust import Trust
from minivess.foundation.clock import Clock, utc_now
from minivess.foundation.errors import CouldNotCheckError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.log.admission import Admission
from minivess.records.log.entry import Entry, Outcome
from minivess.records.people.identity import Identity
from minivess.records.people.roles import Role
from minivess.workflows.serving.access.in_use import (
    DECIDING,
    LETTING_IN,
    acting_keys,
    check_in_production,
    decides,
    not_acting,
)
from minivess.workflows.serving.serving_log import known_head
from minivess.workflows.session.services import WorkspaceReader

LIMIT = 128 << 20
_HINT = "`minivess model admission` writes one, where the device's log is"
_FRESH = "`minivess audit witness`, then `minivess model admission`, where the device's log is"
_BY_RELEASE_MANAGER = frozenset({"model.promote"}) | CALLER_ACTIONS


@implements("REQ-448")
def make_admission(device: WorkspaceReader, site: str) -> Admission:
    """The file for a site, by the newest checkpoint that a quorum of the project's witnesses vouches for.

    Args:
        device: the workspace, with the device's log.
        site: whose serving log is enrolled.

    Raises:
        UsageError: the project names no witnesses, or the log of the site is not enrolled.
        VerificationError: no model is in production by then, or the witnesses have not seen the entries of the service.
    """
    log, policy = device.log, device.project.witnesses
    if policy is None:
        raise UsageError(
            "the project names no witnesses, so that the age of a checkpoint cannot be known",
            hint="add `witnesses` to minivess.yaml, then `minivess audit witness`",
        )
    standing = log.standing
    known = known_head(log, serving_origin(log.origin, site))
    if known is None:
        raise UsageError(f"the log of site {site} is not enrolled", hint=f"minivess model deploy FOLDER --site {site}")
    size, note = _newest_vouched(log, Trust.of_register(standing.register, policy))
    entries = tuple(one for one in log.entries(actions=DECIDING) if one.body.index < size)
    promotions = Promotions.fold(entries)
    model = promotions.production
    if model is None:
        raise VerificationError(
            "no model was in production when the witnesses saw the log", hint=f"minivess model promote …, then {_FRESH}"
        )
    check_in_production(promotions, model, what="the model in production")
    let_in = [one.body.index for one in entries if _lets_in(one, known.service)]
    led = [*let_in[-1:], known.enrolled, *(() if known.anchored is None else (known.anchored,))]
    if not let_in or max(led) >= size:
        raise VerificationError("the witnesses have not seen the newest entries of the service", hint=_FRESH)
    begins = min(*_deciding_first(entries, model), let_in[-1])
    lines = list(islice(log.lines(), size))
    frontier = Frontier()
    frontier.extend([leaf_hash(line) for line in lines[:begins]])
    return Admission(
        model=model,
        site=site,
        checkpoint=note,
        begins=begins,
        peaks=tuple(to_base64(peak) for peak in frontier.peaks),
        entries=tuple(line.decode("utf-8") for line in lines[begins:]),
        through=tuple(log.prove(index, size) for index in led),
    )


def _lets_in(entry: Entry, service: str) -> bool:
    """Whether an entry lets the identity of that id in."""
    body = entry.body
    completed = body.action in LETTING_IN and body.outcome is Outcome.COMPLETED
    return completed and body.payload["identity"]["id"] == service


def _newest_vouched(log: LogReader, trust: Trust) -> tuple[int, str]:
    """The newest checkpoint that the quorum of the witnesses vouches for, with its size."""
    for size, note in log.notes():
        if trust.policy.met(vouching(note, trust)):
            return size, note
    raise VerificationError("the witnesses vouch for no checkpoint of this log", hint=_FRESH)


def _deciding_first(entries: Iterable[Entry], model: str) -> tuple[int, ...]:
    """The indices of the newest evaluation and promotion of a model, and of the entry that made each caller."""
    newest: dict[str, int] = {}
    made: list[int] = []
    for entry in entries:
        body = entry.body
        if body.outcome is not Outcome.COMPLETED:
            continue
        if body.action == CREATED:
            made.append(body.index)
        elif model == (body.payload.get("model") if body.action == "model.promote" else body.context.model):
            newest[body.action] = body.index
    return (newest["evaluation"], newest["model.promote"], *made)


@dataclass(frozen=True)
class Admitted:
    """A file that was verified.

    Attributes:
        file: what it says.
        entries: those of `in_use.DECIDING`, in order.
        frontier: the tree of all entries before those of the file.
        hashes: the leaf hashes of those of the file.
        vouched: since when a quorum of the witnesses vouches for it.
    """

    file: Admission
    entries: tuple[Entry, ...]
    frontier: Frontier
    hashes: tuple[bytes, ...]
    vouched: datetime

    @property
    def size(self) -> int:
        """Entries of the device's log that it covers."""
        return self.file.begins + len(self.hashes)

    def root_at(self, size: int) -> bytes | None:
        """The Merkle root of the first entries of the log; None: not known from this file."""
        if not self.file.begins <= size <= self.size:
            return None
        tree = Frontier(self.frontier.size, self.frontier.peaks)
        tree.extend(self.hashes[: size - self.file.begins])
        return tree.root()


@implements("REQ-448", "RC-190")
def verify_admission(file: Admission, trust: Trust, service: Identity, *, now: datetime) -> Admitted:
    """Judge a file by keys from elsewhere.

    Args:
        file: as it was read.
        trust: names the log's key, its witnesses, and whose entries count.
        service: who is to answer.
        now: of one's own clock.

    Raises:
        VerificationError: the checkpoint is not believed, the entries are not all that it covers, one is not signed by whom it
            has to be, the service is not the one that was let in, or the model is not in production.
    """
    if not trust.asks_for_witnesses:
        raise VerificationError(
            "the trust file names no witnesses, so that the age of the checkpoint cannot be known",
            hint="take one of a project that names witnesses (`minivess audit trust`)",
        )
    origin = parse_note(file.checkpoint).checkpoint.origin
    believed = believe(file.checkpoint, trust, origin, now=now.timestamp())
    hashes = tuple(leaf_hash(line.encode("utf-8")) for line in file.entries)
    before = Frontier(file.begins, [from_base64(peak) for peak in file.peaks])
    tree = Frontier(before.size, before.peaks)
    tree.extend(hashes)
    if (tree.size, tree.root()) != (believed.size, believed.root):
        raise VerificationError("the entries of the admission are not those that its checkpoint covers", hint=_HINT)
    found = tuple(_read(file, trust, origin))
    admitted = Admitted(file, found, before, hashes, vouched_since(file.checkpoint, trust))
    if (refusal := not_acting(acting_keys(found), service)) is not None:
        raise refusal
    check_in_production(Promotions.fold(admitted.entries), file.model, what="the model of the admission")
    return admitted


def _read(file: Admission, trust: Trust, origin: str) -> Iterator[Entry]:
    """The entries that decide, each signed by its actor, whom the trust file names with the role for it."""
    roots = () if trust.roots is None else tuple(one.id for one in trust.roots.keys)
    managers = {one.id for one in trust.signers if Role.RELEASE_MANAGER in one.roles}
    for index, text in enumerate(file.entries, file.begins):
        line = text.encode("utf-8")
        if not decides(line):
            continue
        entry = read_entry(line, index)
        body = entry.body
        if body.log != origin or body.index != index:
            raise VerificationError(f"entry {index} of the admission is of another place or log")
        check_signature(entry, trust.actor(body.actor, body.key))
        allowed = managers | set(roots if body.action in CALLER_ACTIONS else ())
        if body.action in _BY_RELEASE_MANAGER and body.outcome is Outcome.COMPLETED and body.actor not in allowed:
            raise VerificationError(f"entry {index} ({body.action}): you trust {body.actor} as no release manager")
        yield entry


def vouched_since(note: str, trust: Trust) -> datetime:
    """The latest time at which a quorum of the witnesses vouched."""
    held = vouching(note, trust)
    for time in sorted({one.time for one in held.values()}, reverse=True):
        if trust.policy.met({name for name, one in held.items() if one.time >= time}):
            return datetime.fromtimestamp(time, tz=UTC)
    raise VerificationError("the witnesses do not vouch for this checkpoint", hint=_FRESH)


@implements("REQ-448", "RC-190")
class FileView:
    """A file in place of the device's log. It is read again when it was exchanged.

    Args:
        path: of the file; who exchanges it writes another one and renames it.
        trust: names the log's key, its witnesses, and whose entries count.
        service: who is to answer.
        oldest: the greatest age of the checkpoint.
        clock: tells the time.

    Raises:
        InputError, VerificationError: the file cannot be believed now.
    """

    def __init__(
        self, path: Path, trust: Trust, service: Identity, *, oldest: timedelta, clock: Clock = utc_now
    ) -> None:
        self._path = path
        self._trust = trust
        self._service = service
        self._oldest = oldest
        self._clock = clock
        self._seen = self._stamp()
        self.admitted = self._verified()
        self._check_age()

    def look(self) -> tuple[Entry, ...]:
        """The entries that decide, of a file that is not too old."""
        seen = self._stamp()
        if seen != self._seen:
            newer, before = self._verified(), self.admitted
            if newer.size < before.size or newer.root_at(before.size) not in {None, before.root_at(before.size)}:
                raise VerificationError(
                    "the admission is older than the one before, or of another history", hint=_FRESH
                )
            if newer.file != before.file:
                self.admitted = newer
            self._seen = seen
        self._check_age()
        return self.admitted.entries

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise CouldNotCheckError(f"the admission cannot be read: {error.strerror}", hint=_HINT) from None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _verified(self) -> Admitted:
        file = parse_json_record(
            read_limited(self._path, limit=LIMIT), Admission, path=self._path.name, wrong="is no admission", hint=_HINT
        )
        return verify_admission(file, self._trust, self._service, now=self._clock())

    @implements("RC-190")
    def _check_age(self) -> None:
        age = self._clock() - self.admitted.vouched
        if age > self._oldest:
            raise VerificationError(
                f"the witnesses saw the log of the admission {_words(age)} ago, and {_words(self._oldest)} are allowed",
                hint=_FRESH,
            )


def _words(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
