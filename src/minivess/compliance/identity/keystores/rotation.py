"""The next signing key of an identity: made, wrapped and put beside the one in use, or found there from before."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.identity.keystores.keyfile import (
    Keys,
    TokenKeyFile,
    check_passphrase,
    new_signing_key,
    open_key_file,
    read_key_file,
    seal,
)
from minivess.compliance.identity.tokens.pkcs11 import TokenPrivateKey
from minivess.compliance.identity.tokens.pkcs11_uri import parse_pkcs11_uri
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements


@implements("REQ-052", "REQ-053")
def next_keys(old: Keys, path: Path, passphrase: str, token: str | None) -> Keys:
    """The keys that follow `old`: those prepared at `path`, or new ones that are written there first.

    Args:
        old: the keys in use; their encryption key is kept.
        path: the file of the prepared keys.
        passphrase: of the new keys, or the PIN of their token.
        token: the PKCS #11 URI of the new signing key.

    Raises:
        UsageError, InputError, CouldNotCheckError, CannotWriteError: as `Keystore.prepare_rotation`.
    """
    id = old.identity.id  # noqa: A001
    if path.is_file():
        return _resumed(old, path, passphrase, token)
    if token is None and isinstance(old.signing, TokenPrivateKey):
        raise UsageError(
            f"the key of {id} is in a token, and so must the next one be", hint="name it by its PKCS #11 URI"
        )
    check_passphrase(id, passphrase)
    try:
        signing = new_signing_key(old.identity.signing_key.algorithm, token, passphrase)
    except RefusedError:
        raise UsageError(f"the token of the new key of {id} refused the PIN") from None
    try:
        if signing.public == old.identity.signing_key:
            raise UsageError(f"{id} signs with this key already", hint="name another one")
        identity = old.identity.model_copy(update={"signing_key": signing.public})
        write_atomic(path, seal(identity, signing, old.encryption, passphrase), mode=0o600)
    except BaseException:
        signing.close()
        raise
    return Keys(identity, signing, old.encryption)


def _resumed(old: Keys, path: Path, passphrase: str, token: str | None) -> Keys:
    id, file = old.identity.id, read_key_file(path)  # noqa: A001
    held = parse_pkcs11_uri(file.header.token) if isinstance(file, TokenKeyFile) else None
    same = file.header.identity.model_copy(update={"signing_key": old.identity.signing_key}) == old.identity
    if not same or (token is not None and parse_pkcs11_uri(token) != held):
        raise UsageError(f"another rotation of {id} was prepared", hint="finish or abandon that one first")
    try:
        return open_key_file(file, passphrase, path)
    except RefusedError:
        raise UsageError(
            f"a rotation of {id} was prepared under another passphrase", hint="give that one, or abandon the rotation"
        ) from None
