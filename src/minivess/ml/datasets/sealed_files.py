"""What a sealed file is: its name, the facts bound to it, and the salted commitment to its plain bytes.

Shared by `sealing.py`, which makes sealed files, and `sealed.py`, which opens them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import VerificationError
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.ml.datasets import stream_cipher
from minivess.ml.datasets.manifests import root_of
from minivess.records.seal import SealedFile, SealManifest

MANIFEST = "manifest.json"
_SALT = 32
_FORMAT = "minivess-sealed/1"


@implements("REQ-015")
def verify_sealed(folder: Path, manifest: SealManifest) -> None:
    """Check without any key that every sealed file is what the manifest says.

    Raises:
        VerificationError: the manifest's root does not cover it, or a file is missing or changed; it is named.
    """
    if manifest.root != root_of(manifest):
        raise VerificationError("the manifest of the sealed test part was changed: its root does not match")
    for file in manifest.files:
        path = sealed_path(folder, file)
        if not path.is_file():
            raise VerificationError(f"sealed file {path.name} is missing")
        if digest_file(path) != file.sealed:
            raise VerificationError(f"sealed file {path.name} was changed", hint="restore it from a copy")


def write_sealed(plain: bytes, what: tuple[str, str, str], data_key: bytes, out: Path) -> SealedFile:
    """Encrypt bytes of (case, kind, split root) into `out`, read the file back from the disk and compare.

    Raises:
        VerificationError: what was read back is not what was written.
        CouldNotCheckError: the disk refuses.
    """
    case, kind, split = what
    salt = os.urandom(_SALT)
    sealed = stream_cipher.encrypt(salt + plain, _facts(case, kind, split, len(plain)), data_key)
    file = SealedFile(
        case=case, kind=kind, commitment=_commitment(salt, plain), sealed=digest_bytes(sealed), size=len(plain)
    )
    path = sealed_path(out, file)
    write_atomic(path, sealed)
    if not hmac.compare_digest(read_sealed(path, file, split, data_key), plain):
        raise VerificationError(f"sealed file {path.name} does not read back as it was written")
    return file


def read_sealed(path: Path, file: SealedFile, split: str, data_key: bytes) -> bytes:
    """Decrypt a sealed file in memory and hold it against its commitment.

    Raises:
        VerificationError: missing, changed, cut short, another file, or sealed with another key; the file is named.
    """
    opened = stream_cipher.decrypt(path, _facts(file.case, file.kind, split, file.size), data_key)
    salt, plain = opened[:_SALT], opened[_SALT:]
    if not hmac.compare_digest(_commitment(salt, plain), file.commitment):
        raise VerificationError(f"sealed file {path.name} is not what was committed to when the part was sealed")
    return plain


def sealed_path(folder: Path, file: SealedFile) -> Path:
    """Where a sealed file lies in `data/sealed`."""
    return folder / f"{file.case}.{file.kind}.sealed"


def _commitment(salt: bytes, plain: bytes) -> str:
    return f"sha256:{hashlib.sha256(b'minivess commitment, version 1' + salt + plain).hexdigest()}"


def _facts(case: str, kind: str, split: str, size: int) -> dict[str, str | int]:
    return {"format": _FORMAT, "case": case, "kind": kind, "split": split, "size": size}
