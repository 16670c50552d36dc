"""What a sealed file is: its name, the facts bound to it, its key, and the salted commitment to its plain bytes.

Shared by `sealing.py`, which makes sealed files, and `sealed.py`, which opens them.

Images and labels have keys of their own, each derived from the session's data key (HKDF, RFC 5869): who is handed the key
of the images has nothing of the labels. The commitment is SHA-256 over a salt, which only the file's key gives, and the
digest of the plain bytes; it also fixes the key, which AES-GCM alone does not (Albertini et al. 2022).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from minivess.foundation.digests import digest_file
from minivess.foundation.errors import UsageError, VerificationError
from minivess.foundation.files import writing_atomic
from minivess.foundation.implements import implements
from minivess.ml.cases.manifests import root_of
from minivess.ml.sealed import stream_cipher
from minivess.records.data.seal import Kind, SealedFile, SealManifest

MANIFEST = "manifest.json"
KEY_BYTES = 32
_FORMAT = "minivess-sealed/2"


@implements("REQ-015")
def verify_sealed(folder: Path, manifest: SealManifest) -> None:
    """Check without any key that every sealed file is what the manifest says.

    Raises:
        VerificationError: the manifest's root does not cover it, or a file is missing or changed; it is named.
    """
    if manifest.root != root_of(manifest):
        raise VerificationError("the manifest of the sealed test part was changed: its root does not match")
    verify_files(folder, manifest.files)


def verify_files(folder: Path, files: Iterable[SealedFile]) -> None:
    """Check the digests of sealed files.

    Raises:
        VerificationError: a file is missing or changed; it is named.
    """

    def check(file: SealedFile) -> None:
        path = sealed_path(folder, file)
        if not path.is_file():
            raise VerificationError(f"sealed file {path.name} is missing")
        if digest_file(path) != file.sealed:
            raise VerificationError(f"sealed file {path.name} was changed", hint="restore it from a copy")

    with ThreadPoolExecutor(workers()) as pool:
        for _ in pool.map(check, files):
            pass


def workers() -> int:
    """Threads for hashing and encryption, which leave the interpreter to others while they work."""
    return min(4, os.cpu_count() or 1)


def session_keys(keys: bytes, sessions: int) -> Sequence[bytes]:
    """The data keys of a manifest's sessions, one after the other.

    Raises:
        UsageError: there are not `sessions` times 32 bytes.
    """
    if not sessions or len(keys) != sessions * KEY_BYTES:
        raise UsageError("a data key has 32 bytes", hint="a test part sealed in several sessions has one a session")
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


def kind_key(data_key: bytes, kind: Kind) -> bytes:
    """The key of all images, or of all labels, of a session.

    Raises:
        UsageError: a data key that has not 32 bytes.
    """
    return stream_cipher.derive(data_key, kind)


def write_sealed(
    plain: Path, expected: str, file: tuple[str, Kind, str, int], data_key: bytes, out: Path
) -> SealedFile:
    """Encrypt a file into `out` in one pass, read it back, decrypt it and compare it with the plain file.

    Args:
        plain: the plain file.
        expected: the digest it must have.
        file: case, kind, root of the split, and session.
        data_key: the session's key.
        out: the folder of sealed files.

    Raises:
        VerificationError: the plain file is not what it should be, or what was read back is not what was written.
        CouldNotCheckError: the disk refuses.
    """
    case, kind, split, session = file
    key, size = kind_key(data_key, kind), plain.stat().st_size
    path, facts = _place(out, case, kind), _facts(case, kind, split, size)
    with plain.open("rb", buffering=0) as stream, writing_atomic(path) as target:
        made = stream_cipher.encrypt(stream, size, facts, key, target)
        if made.plain != expected:
            raise VerificationError(
                f"{case}/{plain.name} was changed after it was ingested", hint="run minivess data ingest again"
            )
    with plain.open("rb", buffering=0) as stream, stream_cipher.decrypting(path, facts, key) as opened:
        same = opened.size == size and opened.salt == made.salt
        buffer = memoryview(bytearray(stream_cipher.CHUNK))
        for piece in opened.pieces() if same else ():
            read = stream.readinto(buffer[: len(piece)])
            same = same and np.array_equal(np.frombuffer(buffer[:read], np.uint8), np.frombuffer(piece, np.uint8))
    if not same:
        raise VerificationError(f"sealed file {path.name} does not read back as it was written")
    return SealedFile(
        case=case,
        kind=kind,
        commitment=_commitment(made.salt, made.plain),
        sealed=made.sealed,
        size=size,
        session=session,
    )


def read_sealed(path: Path, file: SealedFile, split: str, key: bytes) -> bytearray:
    """Decrypt a sealed file in memory and hold it against its commitment.

    Args:
        path: the sealed file.
        file: what it should be.
        split: root of the split.
        key: `kind_key` of its kind.

    Raises:
        VerificationError: missing, changed, cut short, another file, or sealed with another key; the file is named.
    """
    with stream_cipher.decrypting(path, _facts(file.case, file.kind, split, file.size), key) as opened:
        plain = opened.whole()
        commitment = _commitment(opened.salt, f"sha256:{hashlib.sha256(plain).hexdigest()}")
    if not hmac.compare_digest(commitment, file.commitment):
        raise VerificationError(f"sealed file {path.name} is not what was committed to when the part was sealed")
    return plain


def sealed_path(folder: Path, file: SealedFile) -> Path:
    """Where a sealed file lies in `data/sealed`."""
    return _place(folder, file.case, file.kind)


def _place(folder: Path, case: str, kind: str) -> Path:
    return folder / f"{case}.{kind}.sealed"


def _commitment(salt: bytes, plain: str) -> str:
    state = hashlib.sha256(b"minivess commitment, version 2" + salt + plain.encode("ascii"))
    return f"sha256:{state.hexdigest()}"


def _facts(case: str, kind: str, split: str, size: int) -> dict[str, str | int]:
    return {"format": _FORMAT, "case": case, "kind": kind, "split": split, "size": size}
