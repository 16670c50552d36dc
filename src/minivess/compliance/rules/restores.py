"""Backups from which a log went on: an entry names what was given up, and this says whether it is what it claims."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import EntryBody, Outcome
from minivess.records.log.witnessed import LogRestored
from minivess.records.people.identity import PublicKey

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


@implements("REQ-166", "RC-55")
def check_restored(body: EntryBody, register: Register) -> None:
    """Judge what one completed `log.restored` says, but for the root (`check_root`). Who may restore is in the action table.

    Args:
        body: of the entry.
        register: has the keys with which the log signed checkpoints so far.

    Raises:
        VerificationError: it names another size than that of the entries before it, or gives up a checkpoint that the log did
            not sign.
    """
    restored = _payload(body)
    if restored.size != body.index:
        raise VerificationError("the restore follows other entries than those before it")
    keys = tuple(tenure.identity.signing_key for tenure in register.log_keys)
    for note in restored.abandoned:
        _check_signed(body.log, note, keys)


@implements("REQ-166")
def restore_in(body: EntryBody) -> Restore:
    """What a completed `log.restored` that was judged before says."""
    restored = _payload(body)
    abandoned = tuple(_checkpoint(note) for note in restored.abandoned)
    return Restore(body.index, body.actor, restored.reason, abandoned)


@implements("REQ-166", "RC-55")
def check_root(body: EntryBody, root: bytes) -> None:
    """Compare the root that a completed `log.restored` names with the 32-byte root of the entries before it.

    Raises:
        VerificationError: it is another one.
    """
    if body.action == RESTORED and body.outcome is Outcome.COMPLETED and _payload(body).root != to_base64(root):
        raise VerificationError("the restore follows other entries than those before it")


def _payload(body: EntryBody) -> LogRestored:
    try:
        return LogRestored.model_validate(body.payload)
    except ValidationError:
        raise VerificationError(f"{RESTORED} has a malformed payload") from None


def _checkpoint(note: str) -> Checkpoint:
    try:
        return parse_note(note).checkpoint
    except InputError:
        raise VerificationError("the restore gives up a checkpoint that is malformed") from None


def _check_signed(origin: str, note: str, keys: tuple[PublicKey, ...]) -> None:
    _checkpoint(note)
    for key in keys:
        try:
            parse_note(note).verify(origin, key)
        except (InputError, VerificationError):
            continue
        return
    raise VerificationError("the restore gives up a checkpoint that this log did not sign")
