"""The signature of an exported model: a Sigstore bundle with a DSSE envelope, as OpenSSF Model Signing 1.0 writes it.

It is checked here without that library: the envelope with the public key beside it, and the digests of all signed files.
Anyone can check it with the library: `python -m model_signing verify key`. The key is the manufacturer's, not one of the log.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from typing import Annotated, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from minivess.compliance.proofs.envelope import pae
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace

SIGNATURE, KEY = "models/model.sig", "models/model-signing.pem"
"""Names in a pack, relative to `data/`."""
_LIMIT, _MODEL = 16 << 20, 1 << 32
_HASHES: Mapping[int, hashes.HashAlgorithm] = {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}
"""By the size of the key, as Sigstore pairs them."""
_AGAIN = "sign the exported model again: `minivess model sign`"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Signed(_Part):
    sig: str


class _Envelope(_Part):
    payload: str
    kind: Annotated[Literal["application/vnd.in-toto+json"], Field(alias="payloadType")]
    signatures: Annotated[tuple[_Signed, ...], Field(min_length=1, max_length=1)]


class _Bundle(_Part):
    envelope: Annotated[_Envelope, Field(alias="dsseEnvelope")]


class _Resource(_Part):
    name: str
    digest: str
    algorithm: Literal["sha256"]


class _Predicate(_Part):
    resources: tuple[_Resource, ...]


class _Statement(_Part):
    kind: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    predicate_type: Annotated[Literal["https://model_signing/signature/v1.0"], Field(alias="predicateType")]
    predicate: _Predicate


def signature_files(workspace: Workspace) -> dict[str, bytes]:
    """The signature of the exported model and its public key, by their names in a pack; empty where it was not signed."""
    found = {SIGNATURE: workspace.model_signature, KEY: workspace.model_signing_key}
    return {name: read_limited(path, limit=_LIMIT) for name, path in found.items() if path.is_file()}


@implements("REQ-536")
def signed_model(workspace: Workspace) -> dict[str, bytes]:
    """As `signature_files`, and checked: the signature is over exactly the files of the exported model that a pack has.

    Raises:
        RefusedError: as `check_model_signature`.
    """
    files, folder = signature_files(workspace), workspace.export
    if files:
        places = [workspace.onnx, folder / "export.json", *(folder / "graphs").glob("*.onnx")]
        exported = {
            one.relative_to(folder).as_posix(): read_limited(one, limit=_MODEL) for one in places if one.is_file()
        }
        check_model_signature(files, exported)
    return files


@implements("REQ-536")
def check_model_signature(files: Mapping[str, bytes], exported: Mapping[str, bytes]) -> str:
    """Check the signature of a model.

    Args:
        files: signature and key, by their names in a pack.
        exported: every file of the exported model, by its name in the folder.

    Returns:
        In words what holds.

    Raises:
        RefusedError: the signature or the key is missing or malformed, is by another key, or is over other files.
    """
    if set(files) != {SIGNATURE, KEY}:
        raise RefusedError("the signature of the model and its public key belong together", hint=_AGAIN)
    try:
        key = serialization.load_pem_public_key(files[KEY])
        bundle = _Bundle.model_validate_json(files[SIGNATURE])
        payload, signature = (
            b64decode(text, validate=True) for text in (bundle.envelope.payload, bundle.envelope.signatures[0].sig)
        )
        if not isinstance(key, ec.EllipticCurvePublicKey) or key.key_size not in _HASHES:
            raise RefusedError("the key of the model's signature is on no curve that Sigstore has", hint=_AGAIN)
        key.verify(signature, pae(bundle.envelope.kind, payload), ec.ECDSA(_HASHES[key.key_size]))
        statement = _Statement.model_validate_json(payload)
    except InvalidSignature:
        raise RefusedError("the signature of the model is not by the key beside it", hint=_AGAIN) from None
    except (ValueError, Error, UnsupportedAlgorithm, ValidationError) as error:
        raise RefusedError(
            f"the signature of the model is malformed: {str(error).splitlines()[0][:200]}", hint=_AGAIN
        ) from None
    signed = {one.name: one.digest for one in statement.predicate.resources}
    held = {name: hashlib.sha256(content).hexdigest() for name, content in exported.items()}
    for name in sorted(signed.keys() | held.keys()):
        if signed.get(name) != held.get(name):
            raise RefusedError(f"the signature of the model is over another {name}", hint=_AGAIN)
    return f"{len(held)} files of the model, signed"
