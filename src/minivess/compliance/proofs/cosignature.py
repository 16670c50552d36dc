"""Witnesses: C2SP `tlog-cosignature` (cosignature/v1 with Ed25519), verifier keys, and `tlog-witness` requests (c2sp.org).

A witness signs that the checkpoint it saw continues every one it saw before. It sees an origin, a size, a root and a
consistency proof, and no entry.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from minivess.compliance.proofs.checkpoint import (
    NOTE_LIMIT,
    NoteSigner,
    parse_decimal,
    parse_note,
    parse_signature,
    raw_ed25519,
    valid_name,
    valid_origin,
)
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import HASH_SIZE
from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.foundation.implements import implements
from minivess.records.people.identity import PublicKey

LOG, WITNESS = 0x01, 0x04
"""Types of keys: Ed25519 over a note, and Ed25519 over a cosignature/v1 message."""
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44}=*)", re.ASCII)
_MAX_PROOF = 63
REQUEST_LIMIT = NOTE_LIMIT + 4 * 1024
"""Bytes of a request: a note, and 63 hashes."""
_STAMP = 8
_SIGNATURE = 64
_LAST_TIME = (1 << 63) - 1
_AHEAD = 600
"""Seconds by which the clock of a witness may be ahead of one's own."""


@dataclass(frozen=True)
class VerifierKey:
    """A C2SP verifier key: whose, of which type, and its 32 raw bytes."""

    name: str
    kind: int
    raw: bytes

    @property
    def key_hash(self) -> bytes:
        """SHA-256(name || 0x0A || type || key), first 4 bytes."""
        return hashlib.sha256(self.name.encode("utf-8") + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def text(self) -> str:
        """`<name>+<8 hex digits>+<base64 of type and key>`."""
        return f"{self.name}+{self.key_hash.hex()}+{to_base64(bytes([self.kind]) + self.raw)}"


@dataclass(frozen=True)
class Cosigned:
    """A witness that vouches for a checkpoint, and since when (Unix seconds)."""

    name: str
    time: int


def verifier_key(name: str, key: PublicKey, kind: int) -> VerifierKey:
    """The verifier key of a log (`LOG`) or a witness (`WITNESS`).

    Raises:
        UsageError: the name cannot name a key.
        InputError: the key is not Ed25519.
    """
    if not valid_origin(name):
        raise UsageError(f"{name!r} cannot name a key: no spaces, no plus sign, no control characters")
    return VerifierKey(name, kind, raw_ed25519(key))


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key, strictly.

    Raises:
        InputError: it is malformed, of an unknown type, or its hash is not its own.
    """
    match = _VKEY.fullmatch(text)
    blob = from_base64(match[3]) if match else b""
    if match is None or not valid_name(match[1]) or len(blob) != 33 or blob[0] not in {LOG, WITNESS}:
        raise InputError(
            "this is no verifier key that this version knows",
            hint="it reads <name>+<8 hex digits>+<base64>, and its key is Ed25519 of type 1 (log) or 4 (witness)",
        )
    key = VerifierKey(match[1], blob[0], blob[1:])
    if key.key_hash.hex() != match[2]:
        raise InputError(f"the verifier key of {key.name} has a hash that is not its own")
    return key


@implements("REQ-054")
def cosign(note: str, name: str, signer: NoteSigner, time: int) -> str:
    """A witness's signature line for a checkpoint, with its newline.

    Args:
        note: the signed checkpoint.
        name: of the witness.
        signer: its key.
        time: Unix seconds.

    Raises:
        UsageError: the time is 0 or beyond 2^63 - 1, or the name cannot name a key.
    """
    if not 0 < time <= _LAST_TIME:
        raise UsageError("a cosignature needs the time at which it is made")
    stamp = time.to_bytes(_STAMP, "big")
    key = verifier_key(name, signer.public, WITNESS)
    return f"— {name} {to_base64(key.key_hash + stamp + signer.sign(_message(note, time)))}\n"


@implements("REQ-054")
def verify_cosignatures(
    note: str, witnesses: Sequence[VerifierKey], quorum: int, *, now: float | None = None
) -> tuple[Cosigned, ...]:
    """The witnesses among those given that vouch for a checkpoint.

    Args:
        note: the signed checkpoint, of any log: a cosignature covers all of its text.
        witnesses: whose signatures count. The signed message names nobody, so one key under two names would be one witness
            counted twice.
        quorum: how many it takes.
        now: Unix seconds of one's own clock; a signature from more than ten minutes after it is refused.

    Raises:
        UsageError: a key is not that of a witness, or one key is given twice.
        InputError: the note is malformed.
        VerificationError: fewer than `quorum` do, or a signature in the name of one is wrong.
    """
    found = tuple(one for one in cosigners(note, witnesses, now=now) if one is not None)
    if len(found) < quorum:
        raise VerificationError(
            f"{len(found)} of {len(witnesses)} witnesses vouch for this checkpoint, and it takes {quorum}"
        )
    return found


@implements("REQ-054")
def cosigners(note: str, witnesses: Sequence[VerifierKey], *, now: float | None = None) -> tuple[Cosigned | None, ...]:
    """Who of these witnesses vouches for a checkpoint, and since when; None in the place of one that does not.

    Args:
        note: the signed checkpoint, of any log.
        witnesses: whose signatures count.
        now: as for `verify_cosignatures`.

    Raises:
        UsageError: a key is not that of a witness, or one key is given twice.
        InputError: the note is malformed.
        VerificationError: a signature in the name of one is wrong, or from the future.
    """
    if any(witness.kind != WITNESS for witness in witnesses):
        raise UsageError("only the keys of witnesses (type 4) vouch for a checkpoint")
    if len({one.raw for one in witnesses}) < len(witnesses):
        raise UsageError("a witness is given twice")
    signatures = {(item.name, item.key_hash): item.signature for item in parse_note(note, foreign=True).signatures}
    return tuple(
        _cosigned(note, one, signatures[one.name, one.key_hash], now)
        if (one.name, one.key_hash) in signatures
        else None
        for one in witnesses
    )


def _cosigned(note: str, witness: VerifierKey, signature: bytes, now: float | None) -> Cosigned:
    time = int.from_bytes(signature[:_STAMP], "big")
    wrong = VerificationError(f"the signature of the witness {witness.name} is wrong")
    if len(signature) != _STAMP + _SIGNATURE or not 0 < time <= _LAST_TIME:
        raise wrong
    try:
        Ed25519PublicKey.from_public_bytes(witness.raw).verify(signature[_STAMP:], _message(note, time))
    except (InvalidSignature, ValueError):
        raise wrong from None
    if now is not None and time > now + _AHEAD:
        raise VerificationError(f"the signature of the witness {witness.name} is from the future")
    return Cosigned(witness.name, time)


def add_signatures(note: str, lines: str) -> str:
    """A note with more signature lines: one for each key, the newest given.

    Raises:
        InputError: a line is malformed, or there would be too many.
    """
    text, _, present = note.rpartition("\n\n")
    held = {_key_of(line): line for line in (*present[:-1].split("\n"), *_lines(lines))}
    more = f"{text}\n\n" + "".join(f"{line}\n" for line in held.values())
    parse_note(more, foreign=True)
    return more


def signatures_of(key: VerifierKey, lines: str) -> str:
    """The lines that claim to be by one key; those of unknown keys are ignored, as the spec asks.

    Raises:
        InputError: a line is malformed.
    """
    return "".join(f"{line}\n" for line in _lines(lines) if _key_of(line) == (key.name, key.key_hash))


@dataclass(frozen=True)
class AddCheckpoint:
    """What a witness is asked: to vouch for a checkpoint that continues the size it saw last."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """The body of the request."""
        return f"old {self.old}\n" + "".join(f"{to_base64(item)}\n" for item in self.proof) + f"\n{self.note}"


def parse_request(data: bytes) -> AddCheckpoint:
    """Read the body of an `add-checkpoint` request, strictly.

    Raises:
        InputError: it is malformed or too large.
    """
    if len(data) > REQUEST_LIMIT:
        raise InputError(f"the request is longer than {REQUEST_LIMIT // 1024} KiB")
    try:
        head, separator, note = data.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise InputError("the request is not UTF-8") from None
    first, *proof = head.split("\n")
    word, _, number = first.partition(" ")
    old = parse_decimal(number if word == "old" else "")
    hashes = tuple(from_base64(line) for line in proof)
    if not separator or len(hashes) > _MAX_PROOF or any(len(item) != HASH_SIZE for item in hashes):
        raise InputError("the request is malformed: old size, proof, an empty line, a checkpoint")
    parse_note(note, foreign=True)
    return AddCheckpoint(old, hashes, note)


def _message(note: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{parse_note(note, foreign=True).checkpoint.body()}".encode()


def _lines(text: str) -> list[str]:
    if not text.endswith("\n"):
        raise InputError("a signature line does not end with a newline")
    return text[:-1].split("\n")


def _key_of(line: str) -> tuple[str, bytes]:
    signature = parse_signature(line)
    return signature.name, signature.key_hash
