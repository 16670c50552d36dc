"""DSSE v1 envelopes around in-toto Statement v1 (github.com/secure-systems-lab/dsse, in-toto/attestation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from minivess.compliance.proofs.canonical import canonical, parse_canonical
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.foundation.errors import InputError
from minivess.records.artifact import Artifact
from minivess.records.people.approval import IN_TOTO, Envelope, EnvelopeSignature

PAYLOAD_TYPE = IN_TOTO
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
_LIMIT = 1 << 20


class EnvelopeSigner(Protocol):
    """Whatever can sign bytes and names its key."""

    @property
    def key_id(self) -> str:
        """Hexadecimal SHA-256 of the key's SubjectPublicKeyInfo."""

    def sign(self, data: bytes) -> bytes:
        """A signature over the bytes."""


@dataclass(frozen=True)
class Statement:
    """An in-toto statement: a predicate about subjects."""

    subjects: tuple[Artifact, ...]
    predicate_type: str
    predicate: dict[str, Any]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding of DSSE v1: what is signed, with lengths in decimal."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def make_statement(subjects: Sequence[Artifact], predicate_type: str, predicate: dict[str, Any]) -> bytes:
    """The canonical JSON of an in-toto Statement v1.

    Raises:
        InputError: the predicate has no canonical form.
    """
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": item.name, "digest": {"sha256": item.digest.removeprefix("sha256:")}} for item in subjects
            ],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def parse_statement(payload: bytes) -> Statement:
    """Parse a statement whose bytes must be canonical.

    Raises:
        InputError: not canonical JSON, or not exactly a Statement v1 with SHA-256 subjects.
    """
    value = parse_canonical(payload, limit=_LIMIT)
    try:
        if set(value) != {"_type", "subject", "predicateType", "predicate"} or value["_type"] != STATEMENT_TYPE:
            raise InputError("the signed payload is not an in-toto Statement v1")
        subjects = []
        for item in value["subject"]:
            if set(item) != {"name", "digest"} or set(item["digest"]) != {"sha256"}:
                raise InputError("a subject of the statement is malformed")
            subjects.append(Artifact(name=item["name"], digest=f"sha256:{item['digest']['sha256']}"))
        if not isinstance(value["predicateType"], str) or not isinstance(value["predicate"], dict):
            raise InputError("the statement's predicate is malformed")
    except (TypeError, KeyError, ValidationError):
        raise InputError("the signed payload is not an in-toto Statement v1") from None
    return Statement(tuple(subjects), value["predicateType"], value["predicate"])


def seal_envelope(payload: bytes, signer: EnvelopeSigner, *, payload_type: str = PAYLOAD_TYPE) -> Envelope:
    """Sign a payload into an envelope with one signature."""
    signature = signer.sign(pae(payload_type, payload))
    return Envelope(
        payloadType=payload_type,
        payload=to_base64(payload),
        signatures=(EnvelopeSignature(keyid=signer.key_id, sig=to_base64(signature)),),
    )


def envelope_bytes(envelope: Envelope) -> bytes:
    """The canonical JSON of an envelope, as it stands in a file."""
    return canonical(envelope)


def parse_envelope(data: bytes) -> Envelope:
    """Parse an envelope whose bytes must be canonical JSON.

    Raises:
        InputError: anything else.
    """
    value = parse_canonical(data, limit=_LIMIT)
    try:
        return Envelope.model_validate(value)
    except ValidationError:
        raise InputError("not a DSSE envelope: payloadType, payload and signatures") from None


def payload_of(envelope: Envelope) -> bytes:
    """The payload bytes. They mean nothing before a signature over `signed_bytes` was verified.

    Raises:
        InputError: the base64 is not in its one canonical spelling.
    """
    return from_base64(envelope.payload)


def signed_bytes(envelope: Envelope) -> bytes:
    """The bytes every signature of the envelope covers.

    Raises:
        InputError: as `payload_of`.
    """
    return pae(envelope.payloadType, payload_of(envelope))
