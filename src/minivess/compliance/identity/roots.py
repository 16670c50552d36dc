"""Changing what a log is trusted by, its roots and its own key: agreed by a threshold of the old roots and a threshold
of the new ones.

What each of them signs is an approval (`identity.approvals`) of one subject: the digest of the new roots, the new
threshold, the new log key if there is one, and the digest of the roots they replace, so that an agreement to other roots
cannot be used a second time. An agreement to a log key cannot either, for no key is ever taken twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minivess.compliance.identity.approvals import approve, open_approval
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.errors import RefusedError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Envelope, Policy, PolicyRule
from minivess.records.people.identity import Identity, Meaning, PublicKey
from minivess.records.people.roles import Role

ROOTS_POLICY = Policy(
    name="roots",
    rules=tuple(PolicyRule(role=role, meaning=Meaning.APPROVAL) for role in Role if role is not Role.SERVICE),
)


@dataclass(frozen=True)
class Roots:
    """The identities a log trusts first, and how many of them must agree on who they are."""

    members: tuple[Identity, ...]
    threshold: int

    @property
    def digest(self) -> str:
        """The digest of the canonical JSON of both."""
        return digest_of({"roots": [one.model_dump(mode="json") for one in self.members], "threshold": self.threshold})

    def check(self) -> None:
        """Raises `VerificationError` when the threshold cannot be met, or an id or a key stands twice."""
        ids = {one.id for one in self.members}
        keys = {one.signing_key.key_id for one in self.members}
        if not 1 <= self.threshold <= len(self.members):
            raise VerificationError(f"{self.threshold} of {len(self.members)} roots cannot agree on anything")
        if len(ids) != len(self.members) or len(keys) != len(self.members):
            raise VerificationError("the same root is named twice")


def subject_of(old: Roots, new: Roots, log_key: PublicKey | None = None) -> Artifact:
    """What the roots sign to replace `old` by `new`, and the log's key by `log_key`."""
    change: dict[str, Any] = {"replaces": old.digest, "roots": new.digest}
    if log_key is not None:
        change["log_key"] = log_key.model_dump(mode="json")
    return Artifact(name="roots.json", digest=digest_of(change))


def sign_change(
    signer: Signer, old: Roots, new: Roots, *, log_key: PublicKey | None = None, head: int, now: datetime
) -> Envelope:
    """One root's agreement.

    Raises:
        RefusedError: the signer is neither an old nor a new root.
    """
    identity = signer.identity
    if identity.signing_key.key_id not in {one.signing_key.key_id for one in (*old.members, *new.members)}:
        raise RefusedError(f"{identity.id} is neither a root now nor to be one")
    return agree(signer, subject_of(old, new, log_key), head=head, now=now)


def agree(signer: Signer, subject: Artifact, *, head: int, now: datetime) -> Envelope:
    """A root's signature for a change of what the log is trusted by. Who calls this knows that the signer is a root.

    Args:
        signer: the root.
        subject: the change, by its digest.
        head: number of entries in the log.
        now: the time of signing.
    """
    return approve(
        signer,
        role=signer.identity.roles[0],
        meaning=Meaning.APPROVAL,
        policy=ROOTS_POLICY,
        subjects=[subject],
        shown=subject.digest,
        head=head,
        now=now,
    )


@implements("REQ-057")
def check_change(
    old: Roots,
    valid: Sequence[Identity],
    new: Roots,
    envelopes: Sequence[Envelope],
    *,
    log_key: PublicKey | None = None,
    demo: bool,
) -> None:
    """Whether enough old and enough new roots agreed.

    Args:
        old: the roots in force.
        valid: those of them whose key still counts.
        new: the roots to be.
        envelopes: the agreements.
        log_key: the log key to be; None when it stays.
        demo: whether this is the log of a demonstration.

    Raises:
        VerificationError: a signature is wrong, or too few agreed.
    """
    new.check()
    subject = subject_of(old, new, log_key)
    for group, threshold, which in ((tuple(valid), old.threshold, "old"), (new.members, new.threshold, "new")):
        known = _Group(group, demo)
        agreed = set[str]()
        for envelope in envelopes:
            if not any(one.signing_key.key_id == item.keyid for item in envelope.signatures for one in group):
                continue
            manifestation = open_approval(envelope, known)
            if manifestation.subjects != (subject,) or manifestation.policy != ROOTS_POLICY.name:
                raise VerificationError(f"{manifestation.signer} agreed to another change of the roots")
            agreed.add(manifestation.signer)
        if len(agreed) < threshold:
            raise VerificationError(
                f"{len(agreed)} of the {which} roots agreed to the change, and it takes {threshold}"
            )


@dataclass(frozen=True)
class _Group:
    """Keys that count because they are named here."""

    members: tuple[Identity, ...]
    demo: bool
    size: int = 0

    def key(self, key_id: str, index: int) -> Identity:
        """Whose key this is."""
        for one in self.members:
            if one.signing_key.key_id == key_id:
                return one
        raise VerificationError(f"key {key_id[:12]} is not that of a root")
