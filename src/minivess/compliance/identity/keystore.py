"""Private keys at rest: one JSON file an identity, wrapped with Argon2id (RFC 9106) and AES-256-GCM, mode 0600."""

from __future__ import annotations

import os
import threading
import unicodedata
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from pydantic import Field, ValidationError

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical, digest_of, parse_json
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.foundation.digests import Digest
from minivess.foundation.errors import CannotWriteError, InputError, RefusedError, UsageError
from minivess.foundation.files import read_limited, write_atomic, write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.identity import Identity, IdentityKind, KeyAlgorithm, Role

MIN_PASSPHRASE = 8
"""Characters a passphrase has at least (NIST SP 800-63B section 5.1.1.2)."""
DEMO_NOTICE = "DEMO-KEYS-DO-NOT-TRUST.txt"
_LIMIT = 64 * 1024
_KEY = 32
_NOTICE_TEXT = """DEMO KEYS - DO NOT TRUST

The keys in this folder were made by a demonstration. Their passphrases are public. Whatever they sign proves nothing
about any real device, person or release. Never enrol them in a real audit log; `minivess` refuses them there.
"""


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


class _KeyFile(Record):
    """The file: header, encrypted secrets, and a digest that tells damage from a wrong passphrase."""

    header: _Header
    nonce: str
    sealed: str
    digest: Digest


@implements("REQ-006", "RC-07")
class Keystore:
    """A folder of wrapped private keys, `<id>.json` each.

    Args:
        folder: where they lie; made with mode 0700 when the first identity is created.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(  # noqa: PLR0917
        self,
        id: str,  # noqa: A002  the word of the record
        name: str,
        kind: IdentityKind,
        roles: tuple[Role, ...],
        passphrase: str,
        demo: bool = False,
    ) -> Identity:
        """Make an identity with fresh keys: P-256 and X25519 for a person, Ed25519 for a service.

        Returns:
            The public identity, to be enrolled in the log.

        Raises:
            UsageError: id, name or roles are not allowed, or the passphrase is shorter than 8 characters.
            RefusedError: an identity of that id is there already.
            CannotWriteError: the folder cannot be written.
        """
        if len(_normal(passphrase)) < MIN_PASSPHRASE:
            raise UsageError(
                f"the passphrase for {id} is too short",
                hint=f"use {MIN_PASSPHRASE} characters or more; a sentence is best",
            )
        if (kind is IdentityKind.SERVICE) != (tuple(roles) == (Role.SERVICE,)):
            raise UsageError("a service has the role `service` and no other; a person has any other roles")
        person = kind is IdentityKind.PERSON
        signing = generate(KeyAlgorithm.P256 if person else KeyAlgorithm.ED25519)
        encryption = generate(KeyAlgorithm.X25519) if person else None
        try:
            identity = Identity(
                id=id,
                name=name,
                kind=kind,
                roles=tuple(roles),
                signing_key=signing.public,
                encryption_key=encryption.public if encryption else None,
                demo=demo,
            )
        except ValidationError:
            raise UsageError(
                f"{id!r} cannot be an identity",
                hint="id: letters, digits, . _ - (64 at most); name: 200 characters at most",
            ) from None
        path = self._path(id)
        if path.exists():
            raise RefusedError(
                f"{id} has keys in this keystore already", hint="choose another id, or revoke the old keys"
            )
        self._make_folder(demo=demo)
        write_atomic(path, canonical(_seal(identity, signing, encryption, passphrase)) + b"\n", mode=0o600)
        return identity

    def identities(self) -> list[Identity]:
        """Everybody in the keystore, by id.

        Raises:
            InputError: a key file is damaged.
        """
        return [self._read(path).header.identity for path in sorted(self.folder.glob("*.json"))]

    def identity(self, id: str) -> Identity:  # noqa: A002
        """One identity.

        Raises:
            UsageError: there is none of that id.
            InputError: the key file is damaged.
        """
        path = self._path(id)
        if not path.is_file():
            known = ", ".join(sorted(item.stem for item in self.folder.glob("*.json"))) or "nobody yet"
            raise UsageError(f"{id!r} has no keys in this keystore", hint=f"known here: {known}")
        return self._read(path).header.identity

    def unlock(self, id: str, passphrase: str) -> Signer:  # noqa: A002
        """Unwrap the keys of an identity.

        Raises:
            UsageError: there is none of that id.
            InputError: the key file is damaged, or asks for parameters beyond the bounds.
            RefusedError: the passphrase is wrong.
        """
        self.identity(id)
        return _open(self._read(self._path(id)), passphrase, self._path(id))

    def _path(self, id: str) -> Path:  # noqa: A002
        if not id or any(char in id for char in "/\\:\x00") or id.startswith("."):
            raise UsageError(f"{id!r} cannot be an identity")
        return self.folder / f"{id}.json"

    def _make_folder(self, *, demo: bool) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWriteError(f"cannot make the keystore folder: {error.strerror or error}") from error
        if demo:
            write_text_atomic(self.folder / DEMO_NOTICE, _NOTICE_TEXT)

    def _read(self, path: Path) -> _KeyFile:
        damaged = InputError("the key file is damaged", path=path.name, hint="restore it from a backup")
        try:
            file = _KeyFile.model_validate(parse_json(read_limited(path, limit=_LIMIT), limit=_LIMIT))
        except (ValidationError, InputError):
            raise damaged from None
        if digest_of(_covered(file)) != file.digest or file.header.identity.id != path.stem:
            raise damaged
        return file


def _covered(file: _KeyFile) -> dict[str, object]:
    return file.model_dump(mode="json", exclude={"digest"})


def _normal(passphrase: str) -> str:
    return unicodedata.normalize("NFKC", passphrase)


_ONE_DERIVATION = threading.Lock()
"""OpenSSL runs the lanes of Argon2 in one pool of threads for the whole process; two derivations at once can wait for each
other in it for ever."""


def _derive(derivation: _Derivation, passphrase: str) -> bytes:
    function = Argon2id(
        salt=from_base64(derivation.salt),
        length=_KEY,
        iterations=derivation.iterations,
        lanes=derivation.lanes,
        memory_cost=derivation.memory_kib,
    )
    with _ONE_DERIVATION:
        return function.derive(_normal(passphrase).encode("utf-8"))


def _seal(identity: Identity, signing: PrivateKey, encryption: PrivateKey | None, passphrase: str) -> _KeyFile:
    header = _Header(identity=identity, derivation=_Derivation(salt=to_base64(os.urandom(16))))
    secrets = signing.secret() + (encryption.secret() if encryption else b"")
    nonce = os.urandom(12)
    sealed = AESGCM(_derive(header.derivation, passphrase)).encrypt(nonce, secrets, canonical(header))
    file = _KeyFile(header=header, nonce=to_base64(nonce), sealed=to_base64(sealed), digest=f"sha256:{'0' * 64}")
    return file.model_copy(update={"digest": digest_of(_covered(file))})


def _open(file: _KeyFile, passphrase: str, path: Path) -> Signer:
    identity = file.header.identity
    try:
        key = _derive(file.header.derivation, passphrase)
        secrets = AESGCM(key).decrypt(from_base64(file.nonce), from_base64(file.sealed), canonical(file.header))
    except InvalidTag:
        raise RefusedError(
            f"the passphrase for {identity.id} is wrong", hint="try again; nothing was unlocked and nothing was changed"
        ) from None
    except (ValueError, InputError, UnicodeEncodeError):
        raise InputError("the key file is damaged", path=path.name, hint="restore it from a backup") from None
    try:
        signing = PrivateKey.from_secret(identity.signing_key.algorithm, secrets[:_KEY])
        encryption = PrivateKey.from_secret(KeyAlgorithm.X25519, secrets[_KEY:]) if secrets[_KEY:] else None
        return Signer(identity, signing, encryption)
    except (InputError, UsageError):
        raise InputError("the key file holds other keys than it says", path=path.name) from None
