"""With which keys people cosign checkpoints: a pure fold over the entries that announce and revoke them.

A person's key is announced by an entry of their own, `identity.witness`, and counts until the person is revoked. Nobody's name
and nobody's key serves two people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pydantic import ValidationError

from minivess.compliance.identity.signer import witness_name
from minivess.compliance.proofs.cosignature import (
    WITNESS,
    Cosigned,
    VerifierKey,
    parse_verifier_key,
    verify_cosignatures,
)
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.identities import IdentityRevoked
from minivess.records.log.witnessed import WitnessAnnounced

WITNESS_ACTIONS = frozenset({"identity.witness", "identity.revoked"})
"""The actions this fold looks at."""
_NONE: Mapping[str, VerifierKey] = MappingProxyType({})


@implements("REQ-165")
@dataclass(frozen=True)
class WitnessKeys:
    """The witness key of each person, by id. A value: `extend` returns another one."""

    keys: Mapping[str, VerifierKey] = field(default=_NONE)
    former: frozenset[bytes] = frozenset()
    """Raw keys of people who were revoked; they come back for no one else."""

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> WitnessKeys:
        """The keys after these entries, in order; entries of other actions may be left out.

        Raises:
            VerificationError: an entry breaks a rule; the message names its index.
        """
        keys = cls()
        for entry in entries:
            keys = keys.extend(entry)
        return keys

    def extend(self, entry: Entry) -> WitnessKeys:
        """The keys after one more entry. That its actor may sign it is not this function's matter.

        Raises:
            VerificationError: the key is malformed, named otherwise than `<origin>/<id>`, or somebody else's.
        """
        body = entry.body
        if body.action not in WITNESS_ACTIONS or body.outcome is not Outcome.COMPLETED:
            return self
        try:
            if body.action == "identity.revoked":
                return self._without(IdentityRevoked.model_validate(body.payload).identity)
            key = parse_verifier_key(WitnessAnnounced.model_validate(body.payload).key)
        except (ValidationError, InputError):
            raise VerificationError(f"entry {body.index} ({body.action}) has a malformed payload") from None
        if key.kind != WITNESS or key.name != witness_name(body.log, body.actor):
            raise VerificationError(f"entry {body.index} names a witness key that is not {body.actor}'s in this log")
        others = {one.raw for id, one in self.keys.items() if id != body.actor}  # noqa: A001
        if key.raw in others or key.raw in self.former:
            raise VerificationError(f"entry {body.index} names a witness key that another person has or had")
        return WitnessKeys({**self.keys, body.actor: key}, self.former)

    def cosigners(self, note: str, *, now: float | None = None) -> dict[str, Cosigned]:
        """The people, by id, who cosigned a checkpoint of the log whose entries were folded.

        Args:
            note: the checkpoint with its signatures.
            now: Unix seconds of one's own clock; a signature from much later is refused.

        Raises:
            InputError: the note is malformed.
            VerificationError: a signature in the name of one of them is wrong.
        """
        found = verify_cosignatures(note, tuple(self.keys.values()), 0, now=now)
        names = {key.name: id for id, key in self.keys.items()}  # noqa: A001
        return {names[one.name]: one for one in found}

    def _without(self, id: str) -> WitnessKeys:  # noqa: A002
        gone = self.keys.get(id)
        if gone is None:
            return self
        left = {one: key for one, key in self.keys.items() if one != id}
        return WitnessKeys(left, self.former | {gone.raw})
