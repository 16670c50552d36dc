"""Taking another action table: agreed by a threshold of the roots."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from minivess.compliance.identity.approvals import open_approval
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.roots import ROOTS_POLICY, agree
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.actions import ActionTable, adopted_table
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.log.action_table import AdoptedRules, RulesAdopted
from minivess.records.people.approval import Envelope


def subject_of(old: ActionTable, new: AdoptedRules, log: str) -> Artifact:
    """What each root signs: the new table, the one it replaces, and the log it is for."""
    change = {"log": log, "replaces": old.digest, "number": new.number, "digest": new.digest}
    return Artifact(name="rules.json", digest=digest_of(change))


def sign_adoption(
    signer: Signer, register: Register, old: ActionTable, new: ActionTable, *, log: str, head: int, now: datetime
) -> Envelope:
    """One root's agreement to follow another table.

    Raises:
        RefusedError: the signer is no root.
    """
    identity = signer.identity
    if identity.signing_key.key_id not in {one.signing_key.key_id for one in register.roots}:
        raise RefusedError(f"{identity.id} is not a root of this log")
    return agree(signer, subject_of(old, new.adopted, log), head=head, now=now)


@implements("REQ-130")
def check_adoption(old: ActionTable, adopted: RulesAdopted, register: Register, *, log: str, index: int) -> ActionTable:
    """The table that is followed from the next entry on.

    Args:
        old: the table in force.
        adopted: the payload of `rules.adopted`.
        register: who holds which key.
        log: the log's origin.
        index: the place of the entry.

    Raises:
        VerificationError: the table is not newer, is not known, or too few roots agreed to it.
    """
    if adopted.number <= old.number:
        raise VerificationError(f"the log follows action table {old.number} and cannot go back to {adopted.number}")
    new = adopted_table(adopted)
    agreed = _agreed(adopted.envelopes, subject_of(old, new.adopted, log), register, index)
    if len(agreed) < register.threshold:
        raise VerificationError(f"{len(agreed)} roots agreed to the action table, and it takes {register.threshold}")
    return new


def _agreed(envelopes: Sequence[Envelope], subject: Artifact, register: Register, index: int) -> set[str]:
    roots = {one.id for one in register.valid_roots}
    agreed = set[str]()
    for envelope in envelopes:
        said = open_approval(envelope, register, index=index)
        if said.signer not in roots:
            raise VerificationError(f"{said.signer} agreed to the action table and is not a root")
        if said.subjects != (subject,) or said.policy != ROOTS_POLICY.name:
            raise VerificationError(f"{said.signer} agreed to another action table")
        agreed.add(said.signer)
    return agreed
