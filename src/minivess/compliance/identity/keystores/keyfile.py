"""The file of one identity's keys, JSON in canonical form.

Keys that rest in the file (`minivess-key/1`): both secrets, encrypted with AES-256-GCM under a key that Argon2id (RFC 9106)
makes of the passphrase. Header and identity are the associated data, so a file that was changed does not open.

A signing key in a token (`minivess-token-key/1`): its URI, and a signature by it over the header in place of the secret.
The encryption key of a person rests in the file also then (few tokens can hold X25519), wrapped under the token's PIN, which
is the one passphrase of such an identity. A token answers a handful of wrong PINs, but whoever copies the file can try PINs
against the wrapped encryption key at leisure: hence PINs of eight characters at least, four times the memory, and the
advice to choose letters as well as digits, which most tokens allow. A service has no encryption key, so nothing in its file
tells a right PIN from a wrong one.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import Field, TypeAdapter, ValidationError

from minivess.compliance.identity.keys import PrivateKey, generate, verify
from minivess.compliance.identity.signer import Signer, SigningKey
from minivess.compliance.identity.tokens.pkcs11 import TokenPrivateKey, adopt_token_key, open_token_key
from minivess.compliance.identity.tokens.pkcs11_uri import parse_pkcs11_uri
from minivess.compliance.proofs.canonical import canonical, digest_of, parse_json
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.foundation.digests import Digest
from minivess.foundation.errors import InputError, RefusedError, UsageError, VerificationError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.people.identity import Identity, KeyAlgorithm

MIN_PASSPHRASE = 8
"""Characters a passphrase or PIN has at least (NIST SP 800-63B section 5.1.1.2)."""
KEY_FILE_LIMIT = 64 * 1024
"""Bytes of a key file."""
_KEY = 32
_PROOF = b"minivess-token-key/1\x00"
_PIN_MEMORY = 256 * 1024
"""KiB for a PIN, which is shorter than a passphrase."""
_NO_DIGEST = f"sha256:{'0' * 64}"


class _Derivation(Record):
    """Argon2id parameters: the floor is what is written here, the ceiling keeps a hostile file from eating memory."""

    name: Literal["argon2id"] = "argon2id"
    memory_kib: Annotated[int, Field(ge=64 * 1024, le=1024 * 1024)] = 64 * 1024
    iterations: Annotated[int, Field(ge=3, le=16)] = 3
    lanes: Annotated[int, Field(ge=1, le=16)] = 4
    salt: str


class _Header(Record):
    """Everything in a key file that is not secret: the associated data of the encryption."""

    format: Literal["minivess-key/1"] = "minivess-key/1"
    identity: Identity
    derivation: _Derivation
    cipher: Literal["aes-256-gcm"] = "aes-256-gcm"


class KeyFile(Record):
    """Header, encrypted secrets, and a digest that tells damage from a wrong passphrase."""

    header: _Header
    nonce: str
    sealed: str
    digest: Digest


class _TokenHeader(Record):
    format: Literal["minivess-token-key/1"] = "minivess-token-key/1"
    identity: Identity
    token: Annotated[str, Field(max_length=2000)]
    derivation: _Derivation | None
    cipher: Literal["aes-256-gcm"] = "aes-256-gcm"


class TokenKeyFile(Record):
    """Header, the token's signature over it, and a person's encrypted encryption key."""

    header: _TokenHeader
    proof: str
    nonce: str
    sealed: str
    digest: Digest


class Keys(NamedTuple):
    """What a key file holds, opened."""

    identity: Identity
    signing: SigningKey
    encryption: PrivateKey | None

    def signer(self) -> Signer:
        """An acting identity.

        Raises:
            UsageError: the keys are not those of the identity.
        """
        return Signer(self.identity, self.signing, self.encryption)


_EITHER: TypeAdapter[KeyFile | TokenKeyFile] = TypeAdapter(KeyFile | TokenKeyFile)


def check_passphrase(id: str, passphrase: str) -> None:  # noqa: A002  the word of the record
    """Refuse a passphrase that is too short or no text.

    Raises:
        UsageError: which of the two.
    """
    if len(_normal(passphrase)) < MIN_PASSPHRASE:
        raise UsageError(
            f"the passphrase for {id} is too short",
            hint=f"use {MIN_PASSPHRASE} characters or more; a sentence is best",
        )
    try:
        passphrase.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"the passphrase for {id} is not text", hint="is the terminal set to UTF-8?") from None


def new_signing_key(algorithm: KeyAlgorithm, token: str | None, passphrase: str) -> PrivateKey | TokenPrivateKey:
    """A fresh signing key, or the one that a token holds by this URI.

    Raises:
        InputError: the URI is malformed.
        UsageError, RefusedError, CouldNotCheckError: as `pkcs11.adopt_token_key`; a UsageError also for another algorithm.
    """
    if token is None:
        return generate(algorithm)
    key = adopt_token_key(parse_pkcs11_uri(token), passphrase)
    if key.public.algorithm is not algorithm:
        key.close()
        raise UsageError(
            f"the key in the token is {key.public.algorithm.value}, and {algorithm.value} is needed",
            hint="people sign with P-256, services with Ed25519",
        )
    return key


@implements("REQ-006", "RC-07", "REQ-053")
def seal(
    identity: Identity, signing: PrivateKey | TokenPrivateKey, encryption: PrivateKey | None, passphrase: str
) -> bytes:
    """The content of a key file.

    Raises:
        CouldNotCheckError: the signing key is in a token, and the token does not sign.
    """
    salt = to_base64(os.urandom(16))
    if isinstance(signing, TokenPrivateKey):
        derivation = _Derivation(salt=salt, memory_kib=_PIN_MEMORY) if encryption else None
        header = _TokenHeader(identity=identity, token=signing.where.uri, derivation=derivation)
        nonce, sealed = _encrypt(encryption.secret(), header, passphrase) if encryption else ("", "")
        proof = to_base64(signing.sign(_PROOF + canonical(header)))
        return _content(TokenKeyFile(header=header, proof=proof, nonce=nonce, sealed=sealed, digest=_NO_DIGEST))
    secrets = signing.secret() + (encryption.secret() if encryption else b"")
    plain = _Header(identity=identity, derivation=_Derivation(salt=salt))
    nonce, sealed = _encrypt(secrets, plain, passphrase)
    return _content(KeyFile(header=plain, nonce=nonce, sealed=sealed, digest=_NO_DIGEST))


def read_key_file(path: Path) -> KeyFile | TokenKeyFile:
    """Read the key file of the identity the file is named after, without opening it.

    Raises:
        InputError: it is missing, damaged, of another identity, or asks for parameters beyond the bounds.
    """
    try:
        file = _EITHER.validate_python(parse_json(read_limited(path, limit=KEY_FILE_LIMIT), limit=KEY_FILE_LIMIT))
        if digest_of(_covered(file)) != file.digest or file.header.identity.id != path.stem:
            raise _damaged(path)
        if isinstance(file, TokenKeyFile):
            parse_pkcs11_uri(file.header.token)
            verify(file.header.identity.signing_key, _PROOF + canonical(file.header), from_base64(file.proof))
            if (file.header.derivation is None) != (file.header.identity.encryption_key is None):
                raise _damaged(path)
    except (ValidationError, InputError, VerificationError):
        raise _damaged(path) from None
    return file


@implements("REQ-006", "REQ-053")
def open_key_file(file: KeyFile | TokenKeyFile, passphrase: str, path: Path) -> Keys:
    """Open what `read_key_file` read; `path` is named in errors.

    Raises:
        RefusedError: the passphrase or PIN is wrong; for no other reason.
        InputError: the file is damaged, holds other keys than it says, or was wrapped under another PIN.
        UsageError, CouldNotCheckError: as `pkcs11.open_token_key`.
    """
    identity = file.header.identity
    if isinstance(file, TokenKeyFile):
        return _open_token(file, passphrase, path)
    try:
        secrets = _decrypt(file, passphrase, path)
    except InvalidTag:
        raise _wrong_passphrase(identity) from None
    try:
        signing = PrivateKey.from_secret(identity.signing_key.algorithm, secrets[:_KEY])
        keys = Keys(identity, signing, _encryption_key(secrets[_KEY:]))
        keys.signer()
    except (InputError, UsageError):
        raise InputError("the key file holds other keys than it says", path=path.name) from None
    return keys


def _open_token(file: TokenKeyFile, pin: str, path: Path) -> Keys:
    header = file.header
    try:
        signing = open_token_key(parse_pkcs11_uri(header.token), header.identity.signing_key, pin)
    except RefusedError:
        raise _wrong_passphrase(header.identity) from None
    try:
        secret = _decrypt(file, pin, path) if header.derivation else b""
        keys = Keys(header.identity, signing, _encryption_key(secret))
        keys.signer()
    except InvalidTag:
        signing.close()
        raise InputError(
            f"the token took the PIN, but the encryption key of {header.identity.id} was wrapped under another",
            path=path.name,
            hint="set the PIN of the token back to the one the key file was made with",
        ) from None
    except (InputError, UsageError):
        signing.close()
        raise InputError("the key file holds other keys than it says", path=path.name) from None
    return keys


def _encryption_key(secret: bytes) -> PrivateKey | None:
    return PrivateKey.from_secret(KeyAlgorithm.X25519, secret) if secret else None


def _encrypt(secrets: bytes, header: _Header | _TokenHeader, passphrase: str) -> tuple[str, str]:
    nonce = os.urandom(12)
    sealed = AESGCM(_derive(header.derivation, passphrase)).encrypt(nonce, secrets, canonical(header))
    return to_base64(nonce), to_base64(sealed)


def _decrypt(file: KeyFile | TokenKeyFile, passphrase: str, path: Path) -> bytes:
    try:
        key = _derive(file.header.derivation, passphrase)
        return AESGCM(key).decrypt(from_base64(file.nonce), from_base64(file.sealed), canonical(file.header))
    except (ValueError, InputError):
        raise _damaged(path) from None


def _content(file: KeyFile | TokenKeyFile) -> bytes:
    return canonical(file.model_copy(update={"digest": digest_of(_covered(file))})) + b"\n"


def _covered(file: KeyFile | TokenKeyFile) -> dict[str, object]:
    return file.model_dump(mode="json", exclude={"digest"})


def _damaged(path: Path) -> InputError:
    return InputError("the key file is damaged", path=path.name, hint="restore it from a backup")


def _wrong_passphrase(identity: Identity) -> RefusedError:
    return RefusedError(
        f"the passphrase for {identity.id} is wrong", hint="try again; nothing was unlocked and nothing was changed"
    )


def _normal(passphrase: str) -> str:
    return unicodedata.normalize("NFKC", passphrase)


_ONE_DERIVATION = threading.Lock()
"""OpenSSL runs the lanes of Argon2 in one pool of threads for the whole process; two derivations at once can wait for each
other in it for ever."""


def _derive(derivation: _Derivation | None, passphrase: str) -> bytes:
    if derivation is None:
        raise InputError("nothing is wrapped in this key file")
    function = Argon2id(
        salt=from_base64(derivation.salt),
        length=_KEY,
        iterations=derivation.iterations,
        lanes=derivation.lanes,
        memory_cost=derivation.memory_kib,
    )
    with _ONE_DERIVATION:
        return function.derive(_normal(passphrase).encode("utf-8", "surrogatepass"))
