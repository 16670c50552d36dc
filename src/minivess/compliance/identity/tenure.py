"""For how long a key counts, how a new key is shown to be held, and when two names are the same."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from minivess.compliance.identity.keys import verify
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.encoding import from_base64
from minivess.foundation.errors import VerificationError
from minivess.records.log.entry import Entry
from minivess.records.people.identity import Identity, PublicKey


@dataclass(frozen=True)
class Tenure:
    """An identity's key and the indices it counts for: from `start` on, below `end`."""

    identity: Identity
    start: int
    end: int | None = None

    def covers(self, index: int) -> bool:
        """Whether the key counts at an index."""
        return self.start <= index and (self.end is None or index < self.end)


def possession_statement(log: str, id: str, old_key: str, new_key: str) -> bytes:  # noqa: A002
    """What a new key signs to show that whoever rotates to it holds it."""
    return canonical(
        {"purpose": "minivess key rotation", "log": log, "identity": id, "old_key": old_key, "new_key": new_key}
    )


def possession_shown(entry: Entry, id: str, keys: tuple[PublicKey, PublicKey], possession: str) -> bool:  # noqa: A002
    """Whether somebody who holds the new of two keys, old and new, signed for going on with it."""
    old, new = keys
    try:
        verify(new, possession_statement(entry.body.log, id, old.key_id, new.key_id), from_base64(possession))
    except VerificationError:
        return False
    return True


def plain_name(name: str) -> str:
    """A printed name without what two spellings of one name may differ in."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
