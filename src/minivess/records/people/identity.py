"""Who acts: people and services, their typed public keys and their roles."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from minivess.records.base import Record, ShortText, Slug, WholeRecord
from minivess.records.people.roles import IdentityKind, Role

LOG_IDENTITY = "log"
"""Id of the service whose key signs the log's checkpoints."""


class KeyAlgorithm(StrEnum):
    """What a key can do is part of the key: verification never guesses an algorithm."""

    ED25519 = "ed25519"
    """Signatures of services and checkpoints (RFC 8032)."""
    P256 = "ecdsa-p256-sha256"
    """Signatures of people (FIPS 186-5, P-256 with SHA-256, DER-encoded)."""
    ML_DSA_44 = "ml-dsa-44"
    """Signatures that a quantum computer does not forge (FIPS 204); `verify.py` of a pack does not know them."""
    X25519 = "x25519"
    """Wrapping of data keys (RFC 7748)."""


class PublicKey(Record):
    """A public key.

    `key_id` is the lower-case hexadecimal SHA-256 of the DER-encoded SubjectPublicKeyInfo; `spki` is that DER in base64.
    """

    key_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    algorithm: KeyAlgorithm
    spki: Annotated[str, StringConstraints(max_length=2000)]


class Meaning(StrEnum):
    """What a signature means (21 CFR 11.50)."""

    AUTHORSHIP = "authorship"
    REVIEW = "review"
    APPROVAL = "approval"
    RESPONSIBILITY = "responsibility"


class Identity(WholeRecord):
    """A person or service as enrolled in the log. `person` is what distinctness is judged by, not the key."""

    id: Slug
    name: ShortText
    kind: IdentityKind
    roles: tuple[Role, ...]
    signing_key: PublicKey
    encryption_key: PublicKey | None = None
    demo: bool = False
    """True for keys made by `minivess demo`: loud in every document, never accepted outside a demo."""
