"""Going on with a log that was restored from a backup, on the record: `log.restored` before anything else."""

from __future__ import annotations

from minivess.compliance.audit.reader import LogReader
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.rules.restores import RESTORED
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.log.receipt import Receipt
from minivess.records.log.witnessed import LogRestored
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services

_MOST = 64


@implements("REQ-166", "RC-55")
def restore(services: Services, signer: Signer, reason: str, more: dict[str, str] | None = None) -> Receipt:
    """Append `log.restored`: it names every checkpoint that was seen and that the log does not continue.

    What this account remembers of the log is looked at by itself: every person's and the machine's.

    Args:
        services: opened with `restoring`.
        signer: a root or a release manager.
        reason: why a backup was restored, in a line.
        more: checkpoints that others saw, by whatever names them.

    Raises:
        UsageError: the log continues everything that was seen.
        InputError: what was seen is damaged, or is no checkpoint of this log.
        RefusedError: the signer may not do this.
    """
    log = services.log
    names = remembered_checkpoints.contradicting_notes(
        log, {**remembered_checkpoints.memory_of(log).all(), **(more or {})}
    )
    given_up = sorted({_bare(note) for note in names.values()}, key=lambda note: parse_note(note).checkpoint.size)
    if not given_up:
        raise UsageError(
            "the log continues every checkpoint that was seen: there is nothing to restore",
            hint="pass another person's checkpoint with --seen FILE (`minivess audit seen`, on their machine)",
        )
    if len(given_up) > _MOST:
        raise InputError(f"{len(given_up)} checkpoints are more than the {_MOST} that one entry can name")
    with recorded(services, RESTORED, signer, instant=True) as record:
        head = parse_note(remembered_checkpoints.newest(log)).checkpoint
        record.payload(
            **LogRestored(
                size=head.size, root=to_base64(head.root), abandoned=tuple(given_up), reason=reason
            ).model_dump(mode="json")
        )
    remembered_checkpoints.require_here(log)
    return record.receipt


def seen_here(log: LogReader) -> dict[str, str]:
    """What this account saw of a log: the newest checkpoint by holder, an identity's id or `this machine`.

    Raises:
        InputError: what was seen is damaged.
    """
    found = remembered_checkpoints.memory_of(log).all()
    return {
        "this machine" if holder.startswith("log.") else holder.rpartition(".")[0]: note
        for holder, note in found.items()
    }


def entries_of(note: str) -> int:
    """Number of entries that a checkpoint covers."""
    return parse_note(note).checkpoint.size


def _bare(note: str) -> str:
    """A checkpoint with the signatures of the log alone."""
    text, _, signatures = note.rpartition("\n\n")
    origin = text.partition("\n")[0]
    own = (line for line in signatures.splitlines() if line.startswith(f"— {origin} "))
    return f"{text}\n\n" + "".join(f"{line}\n" for line in own)
