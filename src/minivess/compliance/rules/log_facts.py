"""A log that was read once: its entries, the checkpoint that covers them, and what follows from them.

A command reads the log into one `LogFacts` and hands it on. It holds the bytes of every entry; a device's log has entries of
people and of training, while the answers of a service have logs of their own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import inclusion_proof, leaf_hash, root, tree_of
from minivess.compliance.proofs.tlog_proof import TlogProof
from minivess.compliance.rules.looks import LookHistory
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.by_action import PAYLOADS
from minivess.records.people.identity import Identity
from minivess.records.people.roles import IdentityKind

KEY_ACTIONS = frozenset(PAYLOADS) - {
    "inference",
    "inference.refusals",
    "inference.shadow",
    "release.build",
    "release.sign",
}
"""Actions whose completed entries get an inclusion proof of their own in a pack."""


@dataclass(frozen=True)
class LogFacts:
    """What a log says. Its checkpoint was verified and covers exactly these entries."""

    lines: tuple[bytes, ...]
    """The canonical bytes of each entry."""
    details: tuple[bytes | None, ...]
    """Of each entry; None where there are none or they were erased."""
    note: str
    """The checkpoint as a signed note, with the signatures of witnesses where it has some."""
    checkpoint: Checkpoint
    entries: tuple[Entry, ...]
    register: Register

    @property
    def pairs(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Each entry's canonical bytes and those of its details, as verification wants them."""
        return zip(self.lines, self.details, strict=True)

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self.entries)

    @cached_property
    def history(self) -> LookHistory:
        """The looks at the test set.

        Raises:
            VerificationError: an entry about the test set does not say what such an entry must.
        """
        return LookHistory.fold(self.entries)

    @cached_property
    def proven(self) -> frozenset[int]:
        """Indices of the first and all completed key entries: each has an inclusion proof of its own in a pack."""
        return frozenset({0, *(entry.body.index for entry in self.completed(KEY_ACTIONS))})

    @cached_property
    def proofs(self) -> dict[int, str]:
        """`.tlog-proof` texts of the last entry and of those in `proven`, by index."""
        tree = tree_of([leaf_hash(line) for line in self.lines])
        return {
            index: TlogProof(index, inclusion_proof(tree, index, self.size), self.note).text()
            for index in sorted({*self.proven, self.size - 1})
        }

    @property
    def people(self) -> tuple[Identity, ...]:
        """Everybody who may sign now."""
        return tuple(item for item in self.register.identities if item.kind is IdentityKind.PERSON)

    @cached_property
    def outputs(self) -> frozenset[str]:
        """Digests that completed entries name as their outputs."""
        completed = (entry.body for entry in self.entries if entry.body.outcome is Outcome.COMPLETED)
        return frozenset(item.digest for body in completed for item in body.outputs)

    def completed(self, actions: Collection[str]) -> Iterator[Entry]:
        """The completed entries of some actions, in order."""
        return (one for one in self.entries if one.body.action in actions and one.body.outcome is Outcome.COMPLETED)

    def first(self, action: str) -> Entry | None:
        """The first completed entry of an action."""
        return next(self.completed({action}), None)

    def last(self, *actions: str) -> Entry | None:
        """The last completed entry of one of these actions."""
        return next(reversed(tuple(self.completed(actions))), None)


def read_log(lines: Sequence[bytes], note: str, details: Sequence[bytes | None] | None = None) -> LogFacts:
    """The facts of a log from its bytes. The checkpoint must cover all entries and no others.

    Args:
        lines: the canonical bytes of each entry.
        note: the signed checkpoint.
        details: those of each entry; without them no entry has any.

    Raises:
        VerificationError: the checkpoint covers other entries, or an entry about people breaks a rule.
    """
    try:
        entries = tuple(Entry.model_validate(json.loads(line)) for line in lines)
    except (ValueError, ValidationError):
        raise VerificationError("the log holds a line that is no entry") from None
    if not entries:
        raise VerificationError("the log is empty")
    register = Register.fold(entries)
    head = parse_note(note).verify(entries[0].body.log, register.log_key)
    if head.size != len(lines) or root([leaf_hash(line) for line in lines]) != head.root:
        raise VerificationError(f"the checkpoint covers {head.size} entries, which are not the {len(lines)} given")
    held = [None] * len(lines) if details is None else details
    return LogFacts(tuple(lines), tuple(held), note, head, entries, register)
