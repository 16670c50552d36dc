"""What one account remembers of a log: the newest checkpoint that each person's tool saw (state of C2SP tlog-witness).

A log can be copied, rolled back and forked by whoever runs it. Each signer therefore remembers, in their own profile, the
newest signed checkpoint, and signs nothing on a log that does not prove that it continues it (RFC 6962 section 2.1.2). The
process that writes a log remembers it likewise, for the machine.

One file a log and holder, `seen/<log>/<holder>.note`, with the signed note as it was seen; it changes under a lock, whole or
not at all, and never goes back.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from minivess.compliance.proofs.checkpoint import Checkpoint, parse_note
from minivess.compliance.proofs.merkle import verify_consistency
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.user_profile import Profile
from minivess.records.people.identity import Identity, PublicKey

_LIMIT = 64 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


class ProvingLog(Protocol):
    """A log that can prove what it continues; `audit.reader.LogReader` is one."""

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the log of `new_size` entries continues that of `old_size`."""


def person(identity: Identity) -> str:
    """The holder for a person: their id and encryption key, which stays when the signing key rotates."""
    key = identity.encryption_key or identity.signing_key
    return f"{identity.id}.{key.key_id[:16]}"


def machine(first_log_key: PublicKey) -> str:
    """The holder for whoever writes a log here: the key that signed its first checkpoint."""
    return f"log.{first_log_key.key_id[:16]}"


Abandoned = Callable[[Checkpoint], bool]
"""Whether an entry of the log says that this checkpoint was given up when a backup was restored."""


@implements("REQ-164", "RC-55")
@dataclass(frozen=True)
class Memory:
    """What a profile remembers of one log.

    Attributes:
        profile: whose.
        origin: the log's name.
    """

    profile: Profile
    origin: str

    @property
    def folder(self) -> Path:
        """Where it is: the log's name in safe letters, and a digest of it."""
        name = _UNSAFE.sub("_", self.origin)[:80]
        return self.profile.seen / f"{name}-{hashlib.sha256(self.origin.encode('utf-8')).hexdigest()[:16]}"

    def file(self, holder: str) -> Path:
        """Where the checkpoint of one holder is."""
        return self.folder / f"{holder}.note"

    def of(self, holder: str) -> str | None:
        """The newest checkpoint that a holder saw; None: none yet.

        Raises:
            InputError: the file is damaged.
        """
        path = self.file(holder)
        if not path.exists():
            return None
        try:
            note = read_limited(path, limit=_LIMIT).decode("utf-8")
            if parse_note(note).checkpoint.origin == self.origin:
                return note
        except (UnicodeDecodeError, InputError):
            pass
        raise InputError(
            "what was seen of the log is damaged, so nothing is signed on it",
            path=path,
            hint="restore the file from a backup of the profile; without one, compare the log with another signer's "
            "checkpoint before you move the file away",
        )

    def all(self) -> dict[str, str]:
        """The newest checkpoint of each holder.

        Raises:
            InputError: a file is damaged.
        """
        holders = [path.name.removesuffix(".note") for path in sorted(self.folder.glob("*.note"))]
        return {holder: note for holder in holders if (note := self.of(holder)) is not None}

    def check(self, holder: str, head: Checkpoint, log: ProvingLog) -> None:
        """Make sure that a log continues what a holder remembers.

        Args:
            holder: `person(…)` or `machine(…)`.
            head: the log's newest checkpoint, whose signature was verified.
            log: proves it.

        Raises:
            VerificationError: it does not; names both sizes.
            InputError: the file is damaged.
        """
        held = self.of(holder)
        if held is not None:
            self._continues(holder, parse_note(held).checkpoint, head, log)

    def remember(self, holder: str, note: str, log: ProvingLog, *, abandoned: Abandoned = lambda _: False) -> bool:
        """Remember a newer checkpoint; an older one of the same history changes nothing.

        Args:
            holder: `person(…)` or `machine(…)`.
            note: a checkpoint of the log, whose signature was verified.
            log: proves that it continues what is remembered.
            abandoned: whether what is remembered was given up by an entry of the log; then it is replaced.

        Returns:
            Whether what was remembered had been given up.

        Raises:
            VerificationError: the checkpoint contradicts what is remembered.
            InputError: the file is damaged.
            CannotWriteError: it cannot be remembered.
        """
        head = parse_note(note).checkpoint
        if head.origin != self.origin:
            raise UsageError(f"this is a checkpoint of {head.origin}, not of {self.origin}")
        with self.profile.lock(self.folder):
            text = self.of(holder)
            held = None if text is None else parse_note(text).checkpoint
            restored = False
            if held is not None:
                try:
                    self._continues(holder, held, head, log, either_way=True)
                except VerificationError:
                    restored = abandoned(held)
                    if not restored:
                        raise
            if held is None or restored or head.size > held.size:
                write_atomic(self.file(holder), note.encode("utf-8"), mode=0o600)
            return restored

    def _continues(
        self, holder: str, held: Checkpoint, head: Checkpoint, log: ProvingLog, *, either_way: bool = False
    ) -> None:
        who = "this machine" if holder.startswith("log.") else holder.rpartition(".")[0]
        hint = (
            f"nothing was signed or written. Find the log that {who} saw ({self.file(holder)}); if a backup was restored "
            "on purpose, `minivess audit restore` records that"
        )
        shorter = VerificationError(
            f"{who} saw {held.size} entries of this log, and {head.size} are here: it was rolled back, or is an old copy",
            hint=hint,
        )
        earlier, later = (held, head) if held.size <= head.size else (head, held)
        if held.size > head.size and not either_way:
            raise shorter
        try:
            proof = log.consistency(earlier.size, later.size)
        except UsageError:  # the log has fewer entries
            raise shorter from None
        try:
            verify_consistency(earlier.size, later.size, proof, earlier.root, later.root)
        except VerificationError:
            raise VerificationError(
                f"{who} saw {held.size} entries of this log, and the {head.size} that are here are of another history",
                hint=hint,
            ) from None
