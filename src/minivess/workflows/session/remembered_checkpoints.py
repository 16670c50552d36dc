"""What people and machines saw of the log: asked before each signature and kept after it."""

from __future__ import annotations

import logging

from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.keys import verify
from minivess.compliance.identity.register import REGISTER_ACTIONS, Register
from minivess.compliance.identity.remembered_checkpoints import Memory, machine, person
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.compliance.rules.restores import RESTORED
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.user_profile import Profile
from minivess.records.log.entry import Entry
from minivess.records.log.payloads.identities import LogCreated
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind

_log = logging.getLogger(__name__)


def memory_of(log: LogReader) -> Memory:
    """What this account remembers of a log."""
    return Memory(Profile.of_user(), log.origin)


@implements("REQ-164", "RC-55")
def require(log: LogReader, identity: Identity) -> None:
    """Make sure that a log continues what a person saw of it; services and the log itself remember nothing.

    A person whose checkpoint was given up by a `log.restored` goes on, and is told so.

    Raises:
        VerificationError: it does not continue it; nothing may be signed.
        InputError: what is remembered is damaged.
    """
    if identity.kind is IdentityKind.PERSON:
        _update_memory(log, person(identity), newest(log))


@implements("REQ-164")
def remember(log: LogReader, identity: Identity, note: str) -> None:
    """Keep the newest checkpoint that a person saw; an older one changes nothing.

    Args:
        log: the log.
        identity: the person; for services nothing is kept.
        note: a checkpoint of the log that this process had signed, or verified.

    Raises:
        VerificationError, InputError, CannotWriteError: as `Memory.remember`.
    """
    if identity.kind is IdentityKind.PERSON:
        _update_memory(log, person(identity), note)


def remembered(log: LogReader, identity: Identity) -> Checkpoint | None:
    """The newest checkpoint that a person saw of a log; None: none yet.

    Raises:
        InputError: what is remembered is damaged.
    """
    note = memory_of(log).of(person(identity))
    return None if note is None else parse_note(note).checkpoint


def other_logs(log: LogReader, identity: Identity) -> bool:
    """Whether a person saw other logs from this account, where their former key may still be the one that counts."""
    mine = memory_of(log)
    held = {path.parent for path in mine.profile.seen.glob(f"*/{person(identity)}.note")}
    return bool(held - {mine.folder})


@implements("REQ-166")
def require_here(log: LogReader) -> None:
    """Make sure that a log continues what was written to it from this account, and keep its newest checkpoint.

    Raises:
        VerificationError: it went back, for example to a backup; nothing may be appended but `log.restored`.
    """
    _update_memory(log, _machine_of(log), newest(log))


def newest(log: LogReader) -> str:
    """The newest checkpoint, with the log's signature verified.

    Raises:
        VerificationError: the log's key did not sign it.
    """
    note = log.checkpoint()
    signed = parse_note(note)
    try:
        signed.verify(log.origin, log.key)
    except VerificationError:  # another process changed the log's key
        register = Register.fold(log.entries(actions=REGISTER_ACTIONS))
        signed.verify(log.origin, register.log_key_at(signed.checkpoint.size))
    return note


@implements("REQ-166")
def contradicting_notes(log: LogReader, notes: dict[str, str]) -> dict[str, str]:
    """Those of some checkpoints that a log does not continue.

    Args:
        log: the log.
        notes: checkpoints of this log as somebody saw them, by whatever names them.

    Raises:
        InputError: one is no checkpoint of this log, or not signed by a key that it knows.
    """
    register = Register.fold(log.entries(actions=REGISTER_ACTIONS))
    head = parse_note(newest(log)).checkpoint
    found: dict[str, str] = {}
    for name, note in notes.items():
        seen = _of_this_log(log, register, name, note)
        try:
            _check_consistency(log, seen, head)
        except (VerificationError, UsageError):
            found[name] = note
    return found


def _check_consistency(log: LogReader, seen: Checkpoint, head: Checkpoint) -> None:
    verify_consistency(seen.size, head.size, log.consistency(seen.size, head.size), seen.root, head.root)


def _of_this_log(log: LogReader, register: Register, name: str, note: str) -> Checkpoint:
    signed = parse_note(note)
    for tenure in register.log_keys:
        try:
            return signed.verify(log.origin, tenure.identity.signing_key)
        except VerificationError:
            continue
    raise InputError(f"{name} is not a checkpoint that this log signed", hint="pass a checkpoint of this log")


def _machine_of(log: LogReader) -> str:
    return machine(LogCreated.model_validate(log.entry(0).body.payload).log_key)


def _update_memory(log: LogReader, holder: str, note: str) -> None:
    held = memory_of(log)
    known = held.of(holder)
    if known is not None and parse_note(known).checkpoint == parse_note(note).checkpoint:
        return
    if held.remember(holder, note, log, abandoned=lambda seen: _abandoned(log, seen)):
        who = "this machine" if holder == _machine_of(log) else holder.rpartition(".")[0]
        _log.warning(
            "the log was restored from a backup (`minivess audit log --action %s`): %s continues with the restored one",
            RESTORED,
            who,
        )


def _abandoned(log: LogReader, seen: Checkpoint) -> bool:
    """Whether an admitted entry of the log gives a checkpoint up, and its actor signed it."""
    standing = log.standing
    return any(
        seen in restore.abandoned and _signed(standing.register, log.entry(restore.index))
        for restore in standing.restores
    )


def _signed(register: Register, entry: Entry) -> bool:
    body = entry.body
    try:
        actor = register.check_actor(body.key, body.actor, body.index)
        verify(actor.signing_key, canonical(body), from_base64(entry.signature))
    except (VerificationError, InputError):
        return False
    return True
