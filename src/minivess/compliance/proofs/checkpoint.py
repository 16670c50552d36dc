"""Signed heads of the log: C2SP `tlog-checkpoint` in a C2SP `signed-note` with Ed25519 (c2sp.org).

The rules followed here and in `cosignature`, `tlog_proof` and `tlog_policy` are those of these texts of
github.com/C2SP/C2SP; where a later text is stricter, the later one counts. `tests/compliance/proofs/test_c2sp.py` has a case
for each of their MUSTs.

| text | release | commit of the text read |
| --- | --- | --- |
| signed-note | v1.0.0 | 055287621bf3cd13ff4394418a3e8efc2d5e8ed7 |
| tlog-checkpoint | v1.0.0 | 2793893976c835db049c194d8f2c4f946dcb70ba, and the editor's copy of autumn 2026 |
| tlog-cosignature | v1.0.0 | 01194db11950a0ae2b2b2401afa0a4063a822458 |
| tlog-proof | v1.0.0 | 0065ea5b716154a2dd48508e3f905012a16ce5e9 |
| tlog-policy | none yet | 13027eee7f3f824e464e803373c774ab37fcc43e |
| tlog-witness | none yet | 055270b5928827a49ee84620903e141c2e97d79f, and the editor's copy of autumn 2026 |

The editor's copies had no commit where they were read. They add: a checkpoint has no two signatures of one name and key id;
a witness answers 422 for another root at the same size and for a size of 0 with another root than that of no entries; it
serves the newest checkpoint it cosigned at `/<SHA-256 of the origin>/checkpoint`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import EMPTY_ROOT, HASH_SIZE
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.people.identity import KeyAlgorithm, PublicKey

NOTE_LIMIT = 256 * 1024
"""Bytes of a note: room for more than the 16 signatures of 5 kB each that a verifier must accept."""
MAX_SIZE = (1 << 63) - 1
"""Entries of a log, at most."""
_MAX_SIGNATURES = 64
_FOREIGN_ORIGIN = 1000
_ED25519_TYPE = b"\x01"
_ED25519_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""RFC 8410: SubjectPublicKeyInfo of Ed25519 up to the 32 key bytes."""
_SIGNATURE_LINE = re.compile(r"— (\S+) (\S+)", re.ASCII)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoteSigner(Protocol):
    """Whatever can sign with Ed25519 and names its key: `identity.keys.PrivateKey` or `identity.signer.Signer`."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, data: bytes) -> bytes:
        """A 64-byte Ed25519 signature."""


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log: its origin, number of entries and 32-byte Merkle root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines, which the format leaves to the log; this project's logs write none."""

    def body(self) -> str:
        """The note text: three lines and the extension lines, each ended by a newline."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions))


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: key name, 4-byte key hash and the signature proper."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True)
class SignedCheckpoint:
    """A parsed note. Nothing in it may be believed before `verify` returned."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    @implements("REQ-002")
    def verify(self, name: str, public_key: PublicKey) -> Checkpoint:
        """Check the signature of the key called `name`; signatures of unknown keys are ignored, as the spec asks.

        Returns:
            The checkpoint, now known to be signed.

        Raises:
            VerificationError: that key did not sign this, or its signature is wrong.
        """
        return self.verify_any([(name, raw_ed25519(public_key))])

    def verify_any(self, keys: Iterable[tuple[str, bytes]]) -> Checkpoint:
        """As `verify`, with several keys: at least one signed, and no signature of one of them is wrong.

        Args:
            keys: names, and the 32 raw bytes of Ed25519 public keys.

        Raises:
            VerificationError: none of them signed this, or a signature of one is wrong.
        """
        known = {(name, key_hash(name, raw)): raw for name, raw in keys}
        found = [(item, known.get((item.name, item.key_hash))) for item in self.signatures]
        if all(raw is None for _, raw in found):
            names = ", ".join(sorted({name for name, _ in known}))
            raise VerificationError(f"the checkpoint carries no signature by the log key of {names}")
        for item, raw in found:
            if raw is None:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(raw).verify(item.signature, self.checkpoint.body().encode("utf-8"))
            except (InvalidSignature, ValueError):
                raise VerificationError(f"the signature of {item.name} on the checkpoint is wrong") from None
        return self.checkpoint


def key_hash(name: str, raw_public_key: bytes) -> bytes:
    """The C2SP key id: SHA-256(name || 0x0A || 0x01 || 32-byte public key), first 4 bytes."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _ED25519_TYPE + raw_public_key).digest()[:4]


def raw_ed25519(public_key: PublicKey) -> bytes:
    """The 32 raw bytes of an Ed25519 public key record.

    Raises:
        InputError: the key is of another kind or malformed.
    """
    return _raw_ed25519(public_key.algorithm, public_key.spki)


def _raw_ed25519(algorithm: KeyAlgorithm, spki: str) -> bytes:
    der, prefix = from_base64(spki), _ED25519_SPKI_PREFIX
    if algorithm is not KeyAlgorithm.ED25519 or der[:12] != prefix or len(der) != len(prefix) + 32:
        raise InputError("the key is not an Ed25519 public key")
    return der[len(prefix) :]


@implements("REQ-002")
def sign_note(checkpoint: Checkpoint, private_key_signer: NoteSigner) -> str:
    """Sign a checkpoint under the log's origin as key name.

    Raises:
        UsageError: the origin cannot be a key name, or the head is no head.
        InputError: the key is not Ed25519.
    """
    if not 0 <= checkpoint.size <= MAX_SIZE or len(checkpoint.root) != HASH_SIZE:
        raise UsageError("a checkpoint needs a size of 0 or more and a 32-byte root")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise UsageError("the root of no entries is the SHA-256 of nothing")
    public = private_key_signer.public
    hashed, body = _hash_of(checkpoint.origin, public.algorithm, public.spki), checkpoint.body()
    signature = private_key_signer.sign(body.encode("utf-8"))
    return f"{body}\n— {checkpoint.origin} {to_base64(hashed + signature)}\n"


@lru_cache(maxsize=64)
def _hash_of(origin: str, algorithm: KeyAlgorithm, spki: str) -> bytes:
    """The hash of the key that signs as `origin`."""
    if not valid_origin(origin):
        raise UsageError(f"{origin!r} cannot name a log: no spaces, no plus sign, no control characters")
    return key_hash(origin, _raw_ed25519(algorithm, spki))


def parse_decimal(text: str) -> int:
    """Read a size or an index: decimal digits, no leading zero, at most 2^63 - 1.

    Raises:
        InputError: it is spelled in another way, or too large.
    """
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_SIZE:
        raise InputError("this is not a plain decimal number up to 2^63 - 1")
    return int(text)


def note_text(note: str | bytes) -> str:
    """The text of a note as it came from a file or a connection.

    Raises:
        InputError: it is not UTF-8, or longer than 256 KiB.
    """
    if len(note) > NOTE_LIMIT:
        raise InputError("the checkpoint is longer than 256 KiB")
    if isinstance(note, str):
        return note
    try:
        return note.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the checkpoint is not UTF-8 text") from None


@implements("REQ-153")
def parse_note(note: str | bytes, *, foreign: bool = False) -> SignedCheckpoint:
    """Parse a signed checkpoint, strictly: one spelling of each number and hash.

    Args:
        note: the note; bytes must be UTF-8.
        foreign: whether it may be another implementation's: then its origin need not be a key name, and extension lines
            may follow the root (c2sp.org/tlog-checkpoint); they are kept, for they are signed.

    Raises:
        InputError: the text is not such a note.
    """
    text = note_text(note)
    if any((ord(char) < 0x20 and char != "\n") or 0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise InputError("the checkpoint holds control characters")
    body, separator, tail = text.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise InputError("the checkpoint is not a signed note: text, an empty line, signature lines")
    lines = body.split("\n")
    if len(lines) < 3 or (len(lines) > 3 and not foreign):
        raise InputError("a checkpoint has three lines: origin, size and root hash")
    origin, size, root_text, *extensions = lines
    if not all(extensions):
        raise InputError("an extension line of the checkpoint is empty")
    if not (0 < len(origin) <= _FOREIGN_ORIGIN if foreign else valid_origin(origin)):
        raise InputError("the origin of the checkpoint is malformed")
    try:
        entries = parse_decimal(size)
    except InputError:
        raise InputError("the size in the checkpoint is not a plain decimal number up to 2^63 - 1") from None
    root = from_base64(root_text)
    if len(root) != HASH_SIZE:
        raise InputError("the root hash of the checkpoint is not 32 bytes")
    signature_lines = tail[:-1].split("\n")
    if len(signature_lines) > _MAX_SIGNATURES:
        raise InputError(f"the checkpoint has more than {_MAX_SIGNATURES} signatures")
    signatures = tuple(parse_signature(line) for line in signature_lines)
    if len({(item.name, item.key_hash) for item in signatures}) < len(signatures):
        raise InputError("the checkpoint has two signatures of one key")
    return SignedCheckpoint(Checkpoint(origin, entries, root, tuple(extensions)), signatures)


@lru_cache(maxsize=256)
def valid_origin(origin: str) -> bool:
    """Whether this software gives a log or a witness that name: a C2SP key name, short and without control characters."""
    return len(origin) <= 200 and valid_name(origin) and not any(unicodedata.category(char) == "Cc" for char in origin)


def valid_name(name: str) -> bool:
    """Whether a text is a C2SP key name: not empty, no Unicode space, no plus sign."""
    return bool(name) and not any(char == "+" or char.isspace() or "\ud800" <= char <= "\udfff" for char in name)


def parse_signature(line: str) -> NoteSignature:
    """Read one signature line, without its newline.

    Raises:
        InputError: it is malformed.
    """
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None or not valid_name(match[1]):
        raise InputError("a signature line of the checkpoint is malformed")
    blob = from_base64(match[2])
    if len(blob) <= 4:
        raise InputError("a signature of the checkpoint is too short")
    return NoteSignature(match[1], blob[:4], blob[4:])
