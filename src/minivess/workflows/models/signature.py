"""Signing the exported model with a key of the manufacturer (OpenSSF Model Signing)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from minivess.compliance.pack.model_signature import check_model_signature, signature_files
from minivess.foundation.digests import Digest, digest_file
from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, UsageError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.base import Record

EXTRA = "signing"
_KEY_LIMIT = 1 << 16
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


class SignedModel(Record):
    """What was signed."""

    signature: str
    """The file, relative to the workspace."""
    key: str
    """The file of the public key."""
    digest: Digest
    """Of the signature."""
    files: tuple[str, ...]
    """Names in the folder of the exported model."""


@implements("REQ-536")
def sign_model(workspace: Workspace, key: Path, passphrase: Callable[[], str]) -> SignedModel:
    """Sign every file of the exported model, and check the signature.

    Args:
        workspace: has the exported model.
        key: a private key in PEM on the curve P-256, P-384 or P-521.
        passphrase: asked for when the key is encrypted.

    Raises:
        RefusedError: there is no exported model, or a link in its folder.
        InputError: the file is no such key, or the passphrase is wrong.
        CouldNotCheckError: the extra `signing` is not installed.
    """
    private, secret = _private_key(key, passphrase)
    exported = exported_files(workspace)
    try:
        from model_signing import signing
    except ImportError:
        raise CouldNotCheckError(
            "the signature of a model needs an extra that is not installed", hint=f"install minivess[{EXTRA}]"
        ) from None
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    place = workspace.model_signature.with_suffix(".part")
    try:
        # the library hands the passphrase to cryptography, which takes bytes, whatever its own annotation says
        config = signing.Config().use_elliptic_key_signer(  # type: ignore[no-untyped-call]
            private_key=key, password=cast("str | None", secret)
        )
        config.sign(workspace.export, place)
        write_atomic(workspace.model_signing_key, public)
        write_atomic(workspace.model_signature, place.read_bytes())
    finally:
        place.unlink(missing_ok=True)
    check_model_signature(signature_files(workspace), exported)
    return SignedModel(
        signature=workspace.name(workspace.model_signature),
        key=workspace.name(workspace.model_signing_key),
        digest=digest_file(workspace.model_signature),
        files=tuple(sorted(exported)),
    )


def exported_files(workspace: Workspace) -> Mapping[str, bytes]:
    """Every file of the exported model, by its name in the folder.

    Raises:
        RefusedError: there is no folder with an exported model, or a link in it.
    """
    folder = workspace.export
    if folder == workspace.models or not (folder / "export.json").is_file():
        raise RefusedError("there is no exported model", hint="run `minivess model export`")
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise RefusedError(
                f"{path.name} in the folder of the exported model is a link", hint="export the model again"
            )
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = read_limited(path, limit=1 << 32)
    return found


def _private_key(path: Path, passphrase: Callable[[], str]) -> tuple[ec.EllipticCurvePrivateKey, bytes | None]:
    """A key, and its passphrase; None where it is not encrypted.

    Raises:
        InputError: it is no such key, or the passphrase is wrong.
    """
    data, secret = read_limited(path, limit=_KEY_LIMIT), None
    try:
        try:
            key = serialization.load_pem_private_key(data, None)
        except TypeError:
            secret = passphrase().encode("utf-8")
            key = serialization.load_pem_private_key(data, secret)
    except UsageError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"is no private key that opens with this passphrase: {error}", path=path.name) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _CURVES:
        raise InputError("is no key on the curve P-256, P-384 or P-521", path=path.name)
    return key, secret
