"""Signatures of people and the policies that ask for them (21 CFR 11.50, 11.70, 11.100, 11.200)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from pydantic import ValidationError

from minivess.compliance.identity.keys import verify
from minivess.compliance.identity.signature_rules import RequiredSignature, missing_signatures, required_signatures
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.encoding import from_base64
from minivess.compliance.proofs.envelope import (
    PAYLOAD_TYPE,
    make_statement,
    parse_statement,
    payload_of,
    seal_envelope,
    signed_bytes,
)
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.records.artifact import Artifact
from minivess.records.people.approval import Envelope, Manifestation, Policy, PolicyRule
from minivess.records.people.identity import Identity, Meaning
from minivess.records.people.roles import IdentityKind, Role

PREDICATE_TYPE = "urn:minivess:approval:1"
"""What the predicate of an approval is: a `records.people.approval.Manifestation`."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class KnownKeys(Protocol):
    """Who holds which key; `identity.register.Register` is one."""

    @property
    def size(self) -> int:
        """Number of entries this is the state after."""

    @property
    def demo(self) -> bool:
        """Whether these are the people of a demonstration."""

    def key(self, key_id: str, index: int) -> Identity:
        """Whose key this is at an index; raises `VerificationError` when it is nobody's."""


@implements("REQ-007")
def approve(
    signer: Signer,
    *,
    role: Role,
    meaning: Meaning,
    policy: Policy,
    subjects: Sequence[Artifact],
    shown: str,
    head: int,
    now: datetime,
) -> Envelope:
    """Sign as a person.

    Args:
        signer: the unlocked person.
        role: in which role they sign; they must hold it.
        meaning: what the signature means.
        policy: under which policy; it must ask for this role with this meaning.
        subjects: what is signed, by name and digest.
        shown: digest of what was displayed to them.
        head: number of entries in the log this is based on.
        now: the time of signing.

    Returns:
        A DSSE envelope with one signature over an in-toto statement about the subjects.

    Raises:
        RefusedError: no person, a role they do not hold, an empty policy, or one that does not ask for this signature.
        UsageError: no subject, or a field that cannot be recorded.
    """
    identity = signer.identity
    if identity.kind is not IdentityKind.PERSON:
        raise RefusedError(f"{identity.id} is a service; only people approve")
    if role not in identity.roles:
        raise RefusedError(
            f"{identity.id} does not hold the role {role.value}",
            hint=f"roles held: {', '.join(item.value for item in identity.roles)}",
        )
    _refuse_empty(policy)
    if PolicyRule(role=role, meaning=meaning) not in policy.rules:
        raise RefusedError(
            f"the policy {policy.name} does not ask for {meaning.value} by {role.value}",
            hint=f"it asks for {_words(policy)}",
        )
    try:
        manifestation = Manifestation(
            signer=identity.id,
            printed_name=identity.name,
            time=now,
            meaning=meaning,
            role=role,
            policy=policy.name,
            subjects=tuple(subjects),
            shown=shown,
            head=head,
            demo=identity.demo,
        )
    except ValidationError as error:
        raise UsageError(f"this cannot be signed: {first_error(error)}") from None
    return seal_envelope(
        make_statement(manifestation.subjects, PREDICATE_TYPE, manifestation.model_dump(mode="json")), signer
    )


@implements("REQ-007")
def open_approval(envelope: Envelope, register: KnownKeys, *, index: int | None = None) -> Manifestation:
    """Verify a person's signature against the log's register.

    Args:
        envelope: the signed statement.
        register: who holds which key.
        index: the place in the log the signature stands at; default: after its last entry, so that a key revoked
            anywhere in the log no longer counts.

    Raises:
        VerificationError: unknown or revoked key, wrong signature, or a statement that is not the signer's to make.
    """
    if len(envelope.signatures) != 1:
        raise VerificationError("an approval carries exactly one signature; each person signs an envelope of their own")
    if envelope.payloadType != PAYLOAD_TYPE:
        raise VerificationError("the envelope does not hold an in-toto statement")
    signature = envelope.signatures[0]
    identity = register.key(signature.keyid, register.size if index is None else index)
    try:
        verify(identity.signing_key, signed_bytes(envelope), from_base64(signature.sig))
        statement = parse_statement(payload_of(envelope))
        manifestation = Manifestation.model_validate(statement.predicate)
    except (InputError, ValidationError) as error:
        reason = error.message if isinstance(error, InputError) else "its fields are not those of an approval"
        raise VerificationError(f"the approval by {identity.id} is malformed: {reason}") from None
    canonical_form = manifestation.model_dump(mode="json") == statement.predicate
    if statement.predicate_type != PREDICATE_TYPE or not canonical_form or manifestation.subjects != statement.subjects:
        raise VerificationError(f"the approval by {identity.id} contradicts itself")
    if (manifestation.signer, manifestation.printed_name, manifestation.demo) != (
        identity.id,
        identity.name,
        identity.demo,
    ):
        raise VerificationError(
            f"an approval in the name of {manifestation.signer} was signed with the key of {identity.id}"
        )
    if identity.kind is not IdentityKind.PERSON or manifestation.role not in identity.roles:
        raise VerificationError(f"{identity.id} signed as {manifestation.role.value} without holding that role")
    return manifestation


@implements("REQ-008", "RC-08")
def check_policy(
    policy: Policy,
    envelopes: Sequence[Envelope],
    subjects: Sequence[Artifact],
    register: KnownKeys,
    *,
    required: Sequence[RequiredSignature] | None = None,
    index: int | None = None,
) -> tuple[Manifestation, ...]:
    """Decide whether signatures satisfy a policy: each rule by another person, all about exactly these subjects.

    Args:
        policy: the rules.
        envelopes: one signed approval a person.
        subjects: what must have been signed.
        register: who holds which key.
        required: the signatures that are required, where others than the policy ask for some too; None: its rules.
        index: as for `open_approval`.

    Returns:
        What was signed, in the order of the envelopes.

    Raises:
        VerificationError: a signature does not hold.
        RefusedError: an empty policy, the same person twice, other subjects, demo keys outside a demo, or a rule that
            nobody met.
    """
    _refuse_empty(policy)
    signed: list[Manifestation] = []
    for envelope in envelopes:
        manifestation = open_approval(envelope, register, index=index)
        if any(item.signer == manifestation.signer for item in signed):
            raise RefusedError(
                f"{manifestation.signer} signed twice under {policy.name}", hint="each signature needs another person"
            )
        if manifestation.policy != policy.name:
            raise RefusedError(f"{manifestation.signer} signed under {manifestation.policy}, not under {policy.name}")
        if set(manifestation.subjects) != set(subjects):
            raise RefusedError(f"{manifestation.signer} signed something else than what is here")
        if manifestation.demo and not register.demo:
            raise RefusedError(f"{manifestation.signer} signed with demo keys, which count in a demo log alone")
        signed.append(manifestation)
    asked = required_signatures({f"the policy {policy.name}": policy.rules}) if required is None else required
    missing = missing_signatures(asked, signed)
    if missing:
        raise RefusedError(
            f"a signature is missing: {missing[0]}",
            hint=f"required are {'; '.join(map(str, asked))}; each by another person",
        )
    return tuple(signed)


@implements("REQ-235")
def signature_list(signed: Iterable[Manifestation]) -> bytes:
    """`signatures/SIGNATURES.txt` of a pack: printed name, date and time, and meaning of each signature (21 CFR 11.50(b)).

    Args:
        signed: the signatures in any order.

    Returns:
        UTF-8 text with a line for each signature, in the order of their times and then of the ids. A control character in a
        name is written as `?`.
    """
    lines = [
        f"{_CONTROL.sub('?', one.printed_name)} ({one.signer}), {one.time:%Y-%m-%d %H:%M:%S} UTC, "
        f"{one.meaning.value}, {one.role.value}\n"
        for one in sorted(signed, key=lambda one: (one.time, one.signer))
    ]
    return "".join(lines).encode("utf-8")


def _refuse_empty(policy: Policy) -> None:
    if not policy.rules:
        raise RefusedError(
            f"the policy {policy.name} is empty, so nothing can satisfy it", hint="give it at least one rule"
        )


def _words(policy: Policy) -> str:
    return " and ".join(f"{rule.meaning.value} by {rule.role.value}" for rule in policy.rules)
