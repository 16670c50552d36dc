"""Authenticated encryption of one file in chunks, so that no chunk can be changed, moved, dropped or taken from
another file.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, 2015, "Online Authenticated-Encryption and its
Nonce-Reuse Misuse-Resistance") over AES-256-GCM (NIST SP 800-38D): a key of its own for every file by HKDF-SHA256
(RFC 5869) with a random salt, and a nonce of 7 random bytes, a 4 byte counter and 1 byte that is 1 for the last chunk
alone. The header, which says what the file is, is the associated data of every chunk.

    magic "MVSEAL1\\n" | header length (4 bytes, big-endian) | header (JSON) | chunks of up to 1 MiB + 16

Files pass through in chunks: each byte is read, hashed and encrypted once, and memory does not grow with the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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

Facts = dict[str, str | int]


@dataclass(frozen=True)
class Encrypted:
    """What one pass of encryption found out: the digests of both sides, and a salt that only the key gives again."""

    plain: str
    sealed: str
    salt: bytes


def check_key(key: bytes) -> None:
    """A data key has 32 bytes.

    Raises:
        UsageError: it does not.
    """
    if len(key) != _KEY:
        raise UsageError("a data key has 32 bytes")


def derive(key: bytes, purpose: str) -> bytes:
    """A key for one purpose alone, from which neither `key` nor a key for another purpose can be found (RFC 5869).

    Raises:
        UsageError: the key has not 32 bytes.
    """
    check_key(key)
    return HKDF(SHA256(), _KEY, None, b"minivess sealed purpose, version 1\x00" + purpose.encode("utf-8")).derive(key)


def encrypt(plain: BinaryIO, size: int, facts: Facts, key: bytes, out: BinaryIO) -> Encrypted:
    """Encrypt a stream together with facts about it that stay readable but cannot be changed.

    Args:
        plain: where `size` bytes are read from.
        size: bytes; the stream must hold exactly these.
        facts: what the file is.
        key: 32 bytes.
        out: where the sealed file is written.

    Raises:
        UsageError: the key has not 32 bytes.
        VerificationError: the stream holds more or fewer bytes than it should.
    """
    check_key(key)
    salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
    header = json.dumps(
        facts | {"salt": salt.hex(), "nonce": prefix.hex(), "chunk": CHUNK}, sort_keys=True, separators=(",", ":")
    ).encode("ascii")
    cipher = AESGCM(_file_key(key, salt))
    start = MAGIC + struct.pack(">I", len(header)) + header
    plain_state, sealed_state = hashlib.sha256(), hashlib.sha256(start)
    out.write(start)
    buffer, sealed = memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK + _TAG))
    for number, (length, last) in enumerate(_lengths(size)):
        piece = _filled(plain, buffer[:length])
        closed = sealed[: length + _TAG]
        cipher.encrypt_into(_nonce(prefix, number, last=last), piece, start, closed)
        plain_state.update(piece)
        sealed_state.update(closed)
        out.write(closed)
    if plain.read(1):
        raise VerificationError("the plain file grew while it was sealed", hint="seal again when no program writes it")
    return Encrypted(
        f"sha256:{plain_state.hexdigest()}", f"sha256:{sealed_state.hexdigest()}", _commitment_salt(key, salt)
    )


@contextmanager
def decrypting(path: Path, facts: Facts, key: bytes) -> Iterator[Decryption]:
    """A sealed file ready to be decrypted in memory.

    Args:
        path: the sealed file.
        facts: what the file must say it is.
        key: the key it was sealed with.

    Raises:
        UsageError: the key has not 32 bytes.
        VerificationError: missing, cut short, or another file; the file is named.
    """
    check_key(key)
    try:
        stream = path.open("rb", buffering=0)
    except OSError:
        raise VerificationError(f"sealed file {path.name} is missing or cannot be read") from None
    with stream:
        yield Decryption(stream, path.name, facts, key)


def decrypt(path: Path, facts: Facts, key: bytes) -> bytearray:
    """Decrypt a whole file in memory.

    Raises:
        UsageError: the key has not 32 bytes.
        VerificationError: missing, changed, cut short, another file, or sealed with another key; the file is named.
    """
    with decrypting(path, facts, key) as opened:
        return opened.whole()


class Decryption:
    """One sealed file being decrypted; made by `decrypting`.

    Attributes:
        size: bytes of the plain file.
        salt: as in `Encrypted`.
    """

    def __init__(self, stream: BinaryIO, name: str, facts: Facts, key: bytes) -> None:
        self._stream, self._name = stream, name
        self._start, header = _header(stream, name)
        if any(header.get(field) != value for field, value in facts.items()):
            raise VerificationError(f"sealed file {name} says it is another file")
        salt, self._prefix = _hex(header, "salt", _SALT, name), _hex(header, "nonce", _PREFIX, name)
        self._cipher = AESGCM(_file_key(key, salt))
        self.salt = _commitment_salt(key, salt)
        self._buffer = bytearray(CHUNK + _TAG)
        body = os.fstat(stream.fileno()).st_size - len(self._start)
        chunks = max(1, -(-body // (CHUNK + _TAG)))
        self.size = body - chunks * _TAG
        if self.size < 0 or (chunks > 1 and self.size <= (chunks - 1) * CHUNK):
            raise VerificationError(f"sealed file {name} is cut short or no sealed file")

    def whole(self) -> bytearray:
        """The plain bytes.

        Raises:
            VerificationError: changed, or sealed with another key; the file is named.
        """
        plain = bytearray(self.size)
        into, at = memoryview(plain), 0
        for number, (length, last) in enumerate(_lengths(self.size)):
            self._open(number, last, into[at : at + length])
            at += length
        return plain

    def pieces(self) -> Iterator[memoryview]:
        """The plain bytes in pieces; each is overwritten by the next.

        Raises:
            VerificationError: changed, or sealed with another key; the file is named.
        """
        buffer = memoryview(bytearray(CHUNK))
        for number, (length, last) in enumerate(_lengths(self.size)):
            self._open(number, last, buffer[:length])
            yield buffer[:length]

    def _open(self, number: int, last: bool, into: memoryview) -> None:
        closed = _filled(self._stream, memoryview(self._buffer)[: len(into) + _TAG], self._name)
        try:
            self._cipher.decrypt_into(_nonce(self._prefix, number, last=last), closed, self._start, into)
        except InvalidTag:
            raise VerificationError(
                f"sealed file {self._name} does not open: it was changed, or sealed with another key",
                hint="restore the file from a copy; its digest is in data/sealed/manifest.json",
            ) from None


def _lengths(size: int) -> Iterator[tuple[int, bool]]:
    """The chunks of a file of `size` bytes: how long each is and whether it is the last; an empty file has one."""
    chunks = max(1, -(-size // CHUNK))
    for number in range(chunks):
        last = number == chunks - 1
        yield (size - number * CHUNK if last else CHUNK), last


def _filled(stream: BinaryIO, view: memoryview, name: str = "") -> memoryview:
    at = 0
    while at < len(view):
        read = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not read:
            what = f"sealed file {name} is cut short" if name else "the plain file shrank while it was sealed"
            raise VerificationError(what)
        at += read
    return view


def _header(stream: BinaryIO, name: str) -> tuple[bytes, dict[str, object]]:
    begin = len(MAGIC) + 4
    start = stream.read(begin)
    length = struct.unpack(">I", start[len(MAGIC) :])[0] if len(start) == begin else 0
    if not start.startswith(MAGIC) or not 0 < length <= _LARGEST_HEADER:
        raise VerificationError(f"sealed file {name} is cut short or no sealed file")
    text = stream.read(length)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("chunk") != CHUNK:
        raise VerificationError(f"sealed file {name} has a damaged header")
    return start + text, header


def _hex(header: dict[str, object], field: str, length: int, name: str) -> bytes:
    try:
        value = bytes.fromhex(str(header.get(field)))
    except ValueError:
        value = b""
    if len(value) != length:
        raise VerificationError(f"sealed file {name} has a damaged header")
    return value


def _file_key(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), _KEY, salt, b"minivess sealed file, version 1").derive(key)


def _commitment_salt(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), _SALT, salt, b"minivess commitment salt, version 1").derive(key)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    if number >= _MOST_CHUNKS:
        raise UsageError("a file of 2 PiB cannot be sealed")
    return prefix + struct.pack(">IB", number, int(last))
