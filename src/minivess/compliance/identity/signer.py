"""An unlocked identity: it signs and unwraps, and shows nothing of its secrets."""

from __future__ import annotations

from typing import Protocol

from minivess.compliance.identity.keys import PrivateKey
from minivess.compliance.proofs.checkpoint import parse_note
from minivess.compliance.proofs.cosignature import WITNESS, VerifierKey, cosign, verifier_key
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.people.identity import Identity, PublicKey


class SigningKey(Protocol):
    """The private half of a signing key, in memory (`keys.PrivateKey`) or in a token (`pkcs11.TokenPrivateKey`)."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes) -> bytes:
        """A signature over bytes, in the form `identity.keys.verify` accepts; safe to call from several threads."""

    def close(self) -> None:
        """Give back what the key holds outside this process; may be called again."""


def witness_name(origin: str, id: str) -> str:  # noqa: A002  the word of the record
    """How the witness key of a person is named in cosignatures of one log."""
    return f"{origin}/{id}"


class Signer:
    """A person or service whose keys are unlocked in this process.

    Args:
        identity: who this is.
        signing: the private half of `identity.signing_key`.
        encryption: the private half of `identity.encryption_key`, where there is one.

    Raises:
        UsageError: the keys are not those of the identity.
    """

    def __init__(self, identity: Identity, signing: SigningKey, encryption: PrivateKey | None = None) -> None:
        if signing.public != identity.signing_key or (encryption and encryption.public) != identity.encryption_key:
            raise UsageError(f"these keys do not belong to {identity.id}")
        self.identity = identity
        self._signing = signing
        self._encryption = encryption

    @property
    def key_id(self) -> str:
        """Id of the signing key."""
        return self.identity.signing_key.key_id

    @property
    def public(self) -> PublicKey:
        """The public signing key."""
        return self.identity.signing_key

    def sign(self, data: bytes) -> bytes:
        """A signature over bytes, in the form `identity.keys.verify` accepts.

        Raises:
            CouldNotCheckError: the key is in a token that does not answer, or was closed.
        """
        return self._signing.sign(data)

    def unwrap(self, text: str, context: bytes) -> bytes:
        """Open data that was wrapped for this identity's encryption key.

        Raises:
            UsageError: the identity has no encryption key.
            InputError, RefusedError: as `PrivateKey.unwrap`.
        """
        if self._encryption is None:
            raise UsageError(f"{self.identity.id} has no encryption key")
        return self._encryption.unwrap(text, context)

    @implements("REQ-165")
    def witness_key(self, origin: str) -> VerifierKey:
        """The C2SP verifier key (type 4) with which this person cosigns checkpoints of a log, named `<origin>/<id>`.

        Raises:
            UsageError: the identity has no encryption key, or the names cannot name a key.
        """
        return verifier_key(witness_name(origin, self.identity.id), self._witness().public, WITNESS)

    @implements("REQ-165")
    def cosign(self, note: str, time: int) -> str:
        """This person's cosignature line for a checkpoint (C2SP tlog-cosignature, cosignature/v1), with its newline.

        Who calls this makes sure first that the checkpoint continues what the person saw before.

        Args:
            note: the checkpoint.
            time: Unix seconds.

        Raises:
            UsageError: the identity has no encryption key.
        """
        origin = parse_note(note).checkpoint.origin
        return cosign(note, witness_name(origin, self.identity.id), self._witness(), time)

    def _witness(self) -> PrivateKey:
        if self._encryption is None:
            raise UsageError(f"{self.identity.id} has no encryption key, and so no key to cosign with")
        return self._encryption.witness()

    def as_known_here(self, identity: Identity) -> Signer:
        """The same keys under the name and roles that a workspace knows the person by.

        Raises:
            UsageError: the keys are not those of `identity`.
        """
        return Signer(identity, self._signing, self._encryption)

    def close(self) -> None:
        """End the session with the token that holds the signing key, if there is one; may be called again."""
        self._signing.close()

    def __repr__(self) -> str:
        return f"<Signer {self.identity.id} {self.key_id[:12]}>"
