"""Authenticated encryption of one file in chunks, so that no chunk can be changed, moved, dropped or taken from
another file.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, 2015, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance") over AES-256-GCM (NIST SP 800-38D): a key of its own for every file by HKDF-SHA256
(RFC 5869) with a random salt, and a nonce of 7 random bytes, a 4 byte counter and 1 byte that is 1 for the last chunk
alone. The header, which says what the file is, is the associated data of every chunk.

    magic "MVSEAL1\\n" | header length (4 bytes, big-endian) | header (JSON) | chunks of up to 1 MiB + 16
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from minivess.foundation.errors import UsageError, VerificationError

MAGIC = b"MVSEAL1\n"
CHUNK = 1 << 20
_TAG = 16
_LARGEST_HEADER = 4096
_PREFIX, _SALT, _KEY = 7, 32, 32
_MOST_CHUNKS = 1 << 31


def check_key(key: bytes) -> None:
    """A data key has 32 bytes.

    Raises:
        UsageError: it does not.
    """
    if len(key) != _KEY:
        raise UsageError("a data key has 32 bytes")


def encrypt(plain: bytes, facts: dict[str, str | int], key: bytes) -> bytes:
    """Encrypt bytes together with facts about them that stay readable but cannot be changed.

    Raises:
        UsageError: the key has not 32 bytes.
    """
    check_key(key)
    salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
    header = json.dumps(
        facts | {"salt": salt.hex(), "nonce": prefix.hex(), "chunk": CHUNK}, sort_keys=True, separators=(",", ":")
    ).encode("ascii")
    cipher = AESGCM(_file_key(key, salt))
    start = MAGIC + struct.pack(">I", len(header)) + header
    pieces = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    chunks = [
        cipher.encrypt(_nonce(prefix, number, last=number == len(pieces) - 1), piece, start)
        for number, piece in enumerate(pieces)
    ]
    return b"".join([start, *chunks])


def decrypt(path: Path, facts: dict[str, str | int], key: bytes) -> bytes:
    """Decrypt a file in memory.

    Args:
        path: the sealed file.
        facts: what the file must say it is.
        key: the data key.

    Raises:
        UsageError: the key has not 32 bytes.
        VerificationError: missing, changed, cut short, another file, or sealed with another key; the file is named.
    """
    check_key(key)
    try:
        data = path.read_bytes()
    except OSError:
        raise VerificationError(f"sealed file {path.name} is missing or cannot be read") from None
    start, header = _header(data, path.name)
    if any(header.get(name) != value for name, value in facts.items()):
        raise VerificationError(f"sealed file {path.name} says it is another file")
    salt, prefix = _hex(header, "salt", _SALT, path.name), _hex(header, "nonce", _PREFIX, path.name)
    cipher = AESGCM(_file_key(key, salt))
    plain = bytearray()
    for number, (piece, last) in enumerate(_pieces(data, len(start))):
        try:
            plain += cipher.decrypt(_nonce(prefix, number, last=last), piece, start)
        except InvalidTag:
            raise VerificationError(
                f"sealed file {path.name} does not open: it was changed, or sealed with another key",
                hint="restore the file from a copy; its digest is in data/sealed/manifest.json",
            ) from None
    return bytes(plain)


def _header(data: bytes, name: str) -> tuple[bytes, dict[str, object]]:
    begin = len(MAGIC) + 4
    length = struct.unpack(">I", data[len(MAGIC) : begin])[0] if len(data) >= begin else 0
    if not data.startswith(MAGIC) or not 0 < length <= _LARGEST_HEADER or len(data) < begin + length + _TAG:
        raise VerificationError(f"sealed file {name} is cut short or no sealed file")
    try:
        header = json.loads(data[begin : begin + length])
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("chunk") != CHUNK:
        raise VerificationError(f"sealed file {name} has a damaged header")
    return data[: begin + length], header


def _hex(header: dict[str, object], field: str, length: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(str(header.get(field)))
    except ValueError:
        value = b""
    if len(value) != length:
        raise VerificationError(f"sealed file {name} has a damaged header")
    return value


def _pieces(data: bytes, at: int) -> Iterator[tuple[bytes, bool]]:
    size = CHUNK + _TAG
    while at < len(data):
        yield data[at : at + size], at + size >= len(data)
        at += size


def _file_key(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), _KEY, salt, b"minivess sealed file, version 1").derive(key)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    if number >= _MOST_CHUNKS:
        raise UsageError("a file of 2 PiB cannot be sealed")
    return prefix + struct.pack(">IB", number, int(last))
