"""What a person's signature says (21 CFR 11.50, 11.70), and the policies that ask for signatures."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from minivess.foundation.digests import Digest
from minivess.records.artifact import Artifact
from minivess.records.base import Moment, Record, ShortText, Slug
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import Role


class Manifestation(Record):
    """The content a person signs: who, when, in what role and meaning, under which policy, about what, shown as what."""

    signer: Slug
    printed_name: ShortText
    time: Moment
    meaning: Meaning
    role: Role
    policy: Slug
    subjects: Annotated[tuple[Artifact, ...], Field(min_length=1)]
    shown: Digest
    """Digest of what was displayed to the signer."""
    head: Annotated[int, Field(ge=0)]
    """Number of entries in the log the signature was based on."""
    demo: bool = False


IN_TOTO = "application/vnd.in-toto+json"
"""The type of what a person signs: an in-toto statement."""


class EnvelopeSignature(Record):
    """One signature of a DSSE envelope: key id and base64 signature."""

    keyid: str
    sig: str


class Envelope(Record):
    """A DSSE v1 envelope (secure-systems-lab/dsse): base64 payload, its type, and signatures over its PAE encoding."""

    payloadType: str  # noqa: N815  the name is the specification's
    payload: str
    signatures: Annotated[tuple[EnvelopeSignature, ...], Field(min_length=1)]


class PolicyRule(Record):
    """One signature a policy asks for."""

    role: Role
    meaning: Meaning


class Policy(Record):
    """Which signatures something needs. Each rule must be met by another person; a policy without rules refuses everything."""

    name: Slug
    rules: tuple[PolicyRule, ...]


class Facts(Record):
    """What is opened, judged, and by what: a request fixes it, and an opening must find it unchanged."""

    model: Digest
    calibration: Digest
    """Of the record that holds temperature and conformal threshold."""
    configuration: Digest
    plan: Digest
    """Of the analysis plan, as registered in the log beforehand."""
    criteria: Digest
    data: Digest
    """Root of the sealed test part."""
    inputs: Digest | None = None
    """Of the digests of every file the evaluation reads; None in requests of version 0.1.0."""
    policy: Digest | None = None
    """Of the release policy, as registered in the log beforehand; None in requests of version 0.1.0."""

    @model_serializer(mode="wrap")
    def _as_signed(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the two fields where they are None: the digest of a request of version 0.1.0 remains what it was."""
        plain: dict[str, Any] = handler(self)
        return {name: value for name, value in plain.items() if value is not None or name not in {"inputs", "policy"}}


class UnsealRequest(Facts):
    """A wish to open the sealed test set once, with everything that will be judged fixed beforehand."""

    id: Slug
    requester: Slug
    purpose: ShortText
    release: Slug
    """Version of the device it is for."""
    expires: Moment
    ephemeral_key: str
    """Raw X25519 public key of this one run, base64: the data key is released to it alone."""


RunMode = Literal["released", "custodian"]
"""`released`: the requester gets the data key. `custodian`: the approver runs the evaluation and keeps the key."""


class UnsealGrant(Record):
    """A second person's answer to a request. From this entry on the test set counts as looked at.

    Version 0.1.0 wrote the wrapped key into the entry and no mode. Today the entry holds the SHA-256 of the file with the
    wrapped key, and the file is handed out once the entry is under a cosigned checkpoint.
    """

    request: Slug
    approver: Slug
    wrapped_key: str | None = None
    """The data key wrapped to the run's ephemeral key, in entries of version 0.1.0."""
    key_digest: Digest | None = None
    """Of the file with the wrapped key; None in a custodian run."""
    mode: RunMode | None = None
    envelope: Envelope

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.envelope.payloadType != IN_TOTO:
            raise ValueError(f"the envelope of a grant has the type {IN_TOTO}")
        form = (self.wrapped_key is not None, self.key_digest is not None)
        if form != {None: (True, False), "released": (False, True), "custodian": (False, False)}[self.mode]:
            raise ValueError("the data key of a grant does not fit its mode")
        return self
