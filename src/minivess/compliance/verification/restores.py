"""Backups from which a log went on: an entry names what was given up, and this says whether it is what it claims."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.entry import Entry, Outcome
from minivess.records.identity import PublicKey
from minivess.records.witnessed import LogRestored

RESTORED = "log.restored"


@dataclass(frozen=True)
class Restore:
    """One backup from which the log went on."""

    index: int
    actor: str
    reason: str
    abandoned: tuple[Checkpoint, ...]
    """The checkpoints that were given up."""

    def words(self) -> str:
        """One sentence for a verdict."""
        most = max(one.size for one in self.abandoned)
        return (
            f"entry {self.index}: {self.actor} restored the log from a backup of {self.index} entries; "
            f"{most} had been seen ({self.reason})"
        )


@implements("REQ-166")
def check_restored(entry: Entry, root: bytes, log_keys: Iterable[PublicKey]) -> Restore:
    """Judge one completed `log.restored`.

    Args:
        entry: the entry.
        root: the 32-byte root of the entries before it.
        log_keys: the keys with which the log signed checkpoints so far.

    Raises:
        VerificationError: it names another size or root than that of the entries before it, or gives up a checkpoint that the
            log did not sign.
    """
    body = entry.body
    restored = _payload(entry)
    if restored.size != body.index or restored.root != to_base64(root):
        raise VerificationError(f"entry {body.index} says that it follows other entries than those before it")
    keys = tuple(log_keys)
    abandoned = tuple(_signed(body.index, body.log, note, keys) for note in restored.abandoned)
    return Restore(body.index, body.actor, restored.reason, abandoned)


@implements("REQ-166")
def restores_of(entries: Iterable[Entry]) -> tuple[Restore, ...]:
    """The restores among entries that were verified before.

    Raises:
        VerificationError: one has a malformed payload.
    """
    found: list[Restore] = []
    for entry in entries:
        if entry.body.action == RESTORED and entry.body.outcome is Outcome.COMPLETED:
            payload = _payload(entry)
            abandoned = tuple(_checkpoint(entry.body.index, note) for note in payload.abandoned)
            found.append(Restore(entry.body.index, entry.body.actor, payload.reason, abandoned))
    return tuple(found)


def _payload(entry: Entry) -> LogRestored:
    try:
        return LogRestored.model_validate(entry.body.payload)
    except ValidationError:
        raise VerificationError(f"entry {entry.body.index} ({RESTORED}) has a malformed payload") from None


def _checkpoint(index: int, note: str) -> Checkpoint:
    try:
        return parse_note(note).checkpoint
    except InputError:
        raise VerificationError(f"entry {index} gives up a checkpoint that is malformed") from None


def _signed(index: int, origin: str, note: str, keys: tuple[PublicKey, ...]) -> Checkpoint:
    _checkpoint(index, note)
    for key in keys:
        try:
            return parse_note(note).verify(origin, key)
        except (InputError, VerificationError):
            continue
    raise VerificationError(f"entry {index} gives up a checkpoint that this log did not sign")
