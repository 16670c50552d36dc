"""A drill: tamper with a copy of a log in every way known here, and see whether verification names it.

Two kinds of tamperer are played. A stranger changes bytes and signs with keys of their own. An insider holds the log's key
and signs checkpoints over whatever they like; against them helps what was seen before: an earlier checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import from_base64, to_base64
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.log_entries import Pair
from minivess.foundation.clock import timestamp
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.log.entry import Entry
from minivess.records.people.identity import KeyAlgorithm

DRILLED = 40
"""Entries at the beginning of a log that are copied and tampered with."""
_EACH = 6
"""Entries that each kind of change is tried on."""


@dataclass(frozen=True)
class Case:
    """One tampering and what verification said."""

    kind: str
    what: str
    caught: bool
    """Refused, and the first bad entry was named where there is one."""
    words: str


@dataclass(frozen=True)
class _Change:
    kind: str
    what: str
    pairs: Sequence[Pair]
    note: str
    named: int | None
    """Index that must stand in what verification says."""
    known: str | None = None


@implements("REQ-065", "RC-06")
def tamper(pairs: Sequence[Pair], origin: str, log_signer: Signer) -> list[Case]:
    """Tamper and judge.

    Args:
        pairs: the first entries of a log, three at least, and their details.
        origin: the log's name.
        log_signer: the log's key, which an insider would hold.

    Raises:
        UsageError: there is too little to tamper with, or it does not verify untouched.
    """
    if len(pairs) < 3:
        raise UsageError("a drill needs a log of three entries at least")

    def signed(copy: Sequence[Pair], key: Signer | PrivateKey = log_signer) -> str:
        return sign_note(Checkpoint(origin, len(copy), root([leaf_hash(line) for line, _ in copy])), key)

    note, trusted = signed(pairs), log_signer.public
    if not all(check.passed for check in verify_log(pairs, note, trust=trusted, known=note)[0]):
        raise UsageError("the log does not verify as it is", hint="`minivess audit verify` says why")
    changes = [*_stranger(pairs, note, signed), *_insider(pairs, note, signed, log_signer)]
    return [_judged(change, log_signer) for change in changes]


def _judged(change: _Change, log_signer: Signer) -> Case:
    checks, _ = verify_log(change.pairs, change.note, trust=log_signer.public, known=change.known)
    words = next((check.detail for check in checks if not check.passed), "nothing was noticed")
    named = change.named is None or any(f"{form} {change.named}" in f"{words} " for form in ("entry", "entries"))
    refused = any(not check.passed for check in checks)
    return Case(change.kind, change.what, refused and named, words)


def _sample(count: int) -> list[int]:
    """A few indices, the first and the last among them."""
    return sorted({round(place * (count - 1) / (_EACH - 1)) for place in range(_EACH)})


def _stranger(pairs: Sequence[Pair], note: str, signed: Callable[..., str]) -> Iterator[_Change]:
    last, stranger = len(pairs) - 1, generate(KeyAlgorithm.ED25519)
    for index in _sample(len(pairs)):
        line, details = pairs[index]
        for path, value in _leaves(json.loads(line)):
            changed = _with(json.loads(line), path, _bent(value))
            yield _Change("a field of an entry is changed", _at(index, path), _put(pairs, index, changed), note, index)
        for bit in range(0, 8 * len(line), max(1, len(line) // 5)):
            flipped = bytearray(line)
            flipped[bit // 8] ^= 1 << bit % 8
            yield _Change(
                "a bit of an entry is flipped",
                f"entry {index}, bit {bit}",
                _put(pairs, index, bytes(flipped)),
                note,
                index,
            )
        if details is not None:
            flipped = bytearray(details)
            flipped[len(details) // 2] ^= 1
            yield _Change(
                "details are changed", f"entry {index}", _put(pairs, index, line, bytes(flipped)), note, index
            )
            yield _Change("details are taken away", f"entry {index}", _put(pairs, index, line, None), note, index)
        yield _Change("an entry is dropped", f"entry {index}", [*pairs[:index], *pairs[index + 1 :]], note, index)
        doubled = [*pairs[: index + 1], pairs[index], *pairs[index + 1 :]]
        yield _Change("an entry is doubled", f"entry {index}", doubled, note, index)
        if index < last:
            swapped = [*pairs[:index], pairs[index + 1], pairs[index], *pairs[index + 2 :]]
            yield _Change("entries are reordered", f"entries {index} and {index + 1}", swapped, note, index)
            yield _Change("the log is cut off", f"after entry {index}", pairs[: index + 1], note, index + 1)
        yield _Change("an entry is replayed at the end", f"entry {index}", [*pairs, pairs[index]], note, index)
        moved = _signed(json.loads(line)["body"] | {"index": last + 1}, None, json.loads(line)["signature"])
        yield _Change(
            "an entry is replayed under a new index", f"entry {index}", [*pairs, (moved, details)], note, last + 1
        )
        for what, body in _forgeries(json.loads(line)["body"], stranger, pairs, index):
            forged = _put(pairs, index, _signed(body, stranger))
            yield _Change(what, f"entry {index}", forged, note, index)
    other = signed(pairs, stranger)
    yield _Change("the checkpoint is signed with another key", "the same entries", pairs, other, None)
    for what, lines in _bent_notes(note):
        yield _Change("the checkpoint is changed", what, pairs, lines, None)


def _insider(pairs: Sequence[Pair], note: str, signed: Callable[..., str], log_signer: Signer) -> Iterator[_Change]:
    last = len(pairs) - 1
    for index in _sample(len(pairs))[1:]:
        cut = pairs[:index]
        yield _Change(
            "the log is rolled back to an older checkpoint", f"{index} entries", cut, signed(cut), index, note
        )
    for index in _sample(len(pairs))[:-1]:
        gap = [*pairs[:index], *pairs[index + 1 :]]
        yield _Change("an entry is dropped and the log signed again", f"entry {index}", gap, signed(gap), index)
    entry = Entry.model_validate_json(pairs[last][0]).body
    actor = Entry.model_validate_json(pairs[0][0]).body.actor
    body = json.loads(pairs[last][0])["body"] | {
        "action": "identity.unlock-failed",
        "outcome": "completed",
        "actor": log_signer.identity.id,
        "key": log_signer.key_id,
        "payload": {"identity": actor, "attempt": 1},
        "details": None,
        "started": None,
        "inputs": [],
        "outputs": [],
        "time": timestamp(entry.time),
    }
    other = [*pairs[:last], (_signed(body, log_signer), None)]
    yield _Change("two views of one size are shown", f"{len(pairs)} entries", other, signed(other), None, note)


def _forgeries(
    body: dict[str, Any], stranger: PrivateKey, pairs: Sequence[Pair], index: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Bodies a stranger signs with a key of their own."""
    yield "an entry is signed with a key that was not enrolled", body | {"key": stranger.key_id}
    yield "an entry is signed with another key than it names", body
    holder = json.loads(pairs[0][0] if index else pairs[-1][0])["body"]
    if holder["actor"] != body["actor"]:
        yield "keys are swapped", body | {"key": holder["key"]}
    yield "an entry of another log is spliced in", body | {"log": f"{body['log']}-other"}
    if index:
        before = Entry.model_validate_json(pairs[index - 1][0]).body.time - timedelta(days=1)
        yield "an entry is backdated", body | {"time": timestamp(before)}


def _bent_notes(note: str) -> Iterator[tuple[str, str]]:
    origin, size, digest, empty, seal, _ = note.split("\n")
    flipped = bytearray(from_base64(digest))
    flipped[0] ^= 1
    name, _, blob = seal.rpartition(" ")
    bent = bytearray(from_base64(blob))
    bent[-1] ^= 1
    for what, lines in (
        ("origin", (f"{origin}-other", size, digest, empty, seal)),
        ("size", (origin, str(int(size) + 1), digest, empty, seal)),
        ("root", (origin, size, to_base64(bytes(flipped)), empty, seal)),
        ("signature", (origin, size, digest, empty, f"{name} {to_base64(bytes(bent))}")),
        ("no signature", (origin, size, digest, empty)),
    ):
        yield what, "\n".join(lines) + "\n"


def _put(pairs: Sequence[Pair], index: int, line: bytes, *details: bytes | None) -> list[Pair]:
    return [*pairs[:index], (line, details[0] if details else pairs[index][1]), *pairs[index + 1 :]]


def _signed(body: dict[str, Any], key: Signer | PrivateKey | None, signature: str = "") -> bytes:
    """The bytes of an entry with this body, signed with a key or with a signature from elsewhere."""
    seal = signature if key is None else to_base64(key.sign(canonical(body)))
    return canonical({"body": body, "signature": seal})


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every plain value in a JSON value, with the way to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, (*path, place))
    else:
        yield path, value


def _bent(value: Any) -> Any:
    """Another value of the same kind, one bit away where there are bits."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str) and value:
        middle = len(value) // 2
        return value[:middle] + chr(ord(value[middle]) ^ 1) + value[middle + 1 :]
    return "x"


def _with(value: Any, path: tuple[str | int, ...], new: Any) -> bytes:
    """The canonical bytes of a JSON value with one plain value replaced."""
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return canonical(value)


def _at(index: int, path: tuple[str | int, ...]) -> str:
    return f"entry {index}, {'.'.join(map(str, path))}"
