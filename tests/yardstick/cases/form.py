"""Logs whose entries, details or checkpoints are not in the one form, in order, or signed."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.verification import log as verification
from minivess.compliance.verification import log_entries
from minivess.foundation.digests import digest_bytes
from minivess.records.log.entry import Outcome
from minivess.records.people.identity import KeyAlgorithm
from tests.support.builders import guarded_log as logs
from tests.support.builders.guarded_log import GuardedLog, dan
from tests.support.builders.pack_builder import BEGIN, ada, ben, cleo, log_key
from tests.yardstick import story
from tests.yardstick.cases.case import Case, note_over, of
from tests.yardstick.story import Pair


def of_form() -> Iterator[Case]:
    """Entries and details that are not in the one form, or out of order."""
    good = logs.evaluated()
    pairs, size, note = good.pairs, len(good.entries), good.checkpoint

    def put(index: int, line: bytes, *details: bytes | None) -> tuple[Pair, ...]:
        kept = details[0] if details else pairs[index][1]
        return (*pairs[:index], (line, kept), *pairs[index + 1 :])

    line = pairs[2][0]
    plain = json.loads(line)
    apart = next(index for index, (_, told) in enumerate(pairs) if told is not None)
    told = pairs[apart][1]
    assert told is not None
    bent = {**plain, "body": {**plain["body"], "format": "minivess-entry/3"}}
    yield Case("an entry with a blank", put(2, line.replace(b":", b": ", 1)), note, ("entry 2",))
    yield Case("an entry with another order of its fields", put(2, _turned(plain)), note, ("entry 2",))
    yield Case("an entry of an unknown format", put(2, canonical(bent)), note, ("entry 2", "format"))
    yield Case("an entry that is none", put(2, b"{}"), note, ("entry 2", "not an audit entry"))
    yield Case("an entry with a field more", put(2, canonical({**plain, "x": 1})), note, ("entry 2",))
    yield Case("an entry is missing", (*pairs[:2], *pairs[3:]), note, ("entry 2 is missing",))
    yield Case("an entry is there twice", (*pairs[:3], *pairs[2:]), note, ("entry 2 occurs twice",))
    yield Case("the log is cut off", tuple(pairs[:-1]), note, (f"entry {size - 1} is missing",))
    yield Case("the log is empty", (), _empty_note(), ("the log is empty",))
    yield Case("details of another entry", put(apart, pairs[apart][0], b'{"error":null}'), note, ("were changed",))
    yield Case("details are missing", put(apart, pairs[apart][0], None), note, (f"entry {apart} are missing",))
    yield Case("details where there are none", put(1, pairs[1][0], told), note, ("entry 1 were changed",))
    later = f"entry {size}"
    for name, changes, words in (
        ("an entry of another log", {"log": "elsewhere.example"}, "belongs to the log elsewhere.example"),
        ("a backdated entry", {"time": BEGIN - timedelta(days=1)}, "dated before the entry"),
        ("an entry ends what nobody started", {"started": 1}, "did not start"),
        ("an observation inside its entry", {"payload": {"patient": "Jane"}}, "belongs into its details"),
        ("an action nobody knows", {"action": "data.unknown"}, "data.unknown"),
        ("an observation without details", {"details": None}, "were changed"),
    ):
        log = logs.evaluated()
        log.append(ada(), "data.validate", {"rules": 1, "notes": 0, "warnings": 0, "blocking": 0}, **changes)
        yield of(name, log, (later, words))
    log = logs.evaluated()
    log.append(ada(), "data.validate", {"rules": 1, "notes": 0, "warnings": 0, "blocking": 0, "patient": "Jane"})
    yield of("a field that nobody declared in details", log, (later, "patient"))
    log = logs.evaluated()
    log.append(ada(), "criteria.register", {"criteria": [], "patient": "Jane"})
    yield of("a field that nobody declared in an entry", log, (later, "patient"))
    log = logs.evaluated()
    log.append(cleo(), "model.promote", {}, outcome=Outcome.FAILED, error="OSError: disk full")
    told = canonical({"error": "OSError: disk full", "payload": {"patient": "Jane"}, "salt": "A" * 22 + "=="})
    yield from _with_details(log, told)
    yield from _unsigned(logs.evaluated())


def _with_details(log: GuardedLog, told: bytes) -> Iterator[Case]:
    body = json.loads(log.lines[-1])["body"] | {"details": digest_bytes(told)}
    line = canonical({"body": body, "signature": to_base64(cleo().sign(canonical(body)))})
    pairs = [*log.pairs[:-1], (line, told)]
    yield Case(
        "a payload in details that belongs into the entry", tuple(pairs), note_over(pairs), ("the entry itself",)
    )
    for name, text in (
        ("details that are no JSON", b"{"),
        ("details with a field more", canonical({"error": "x", "payload": {}, "salt": "A" * 22 + "==", "x": 1})),
        ("details with a short salt", canonical({"error": "x", "payload": {}, "salt": "A"})),
    ):
        body = body | {"details": digest_bytes(text)}
        line = canonical({"body": body, "signature": to_base64(cleo().sign(canonical(body)))})
        pairs = [*log.pairs[:-1], (line, text)]
        where = f"details of entry {len(pairs) - 1} are malformed"
        yield Case(name, tuple(pairs), note_over(pairs), (where,))


def _unsigned(log: GuardedLog) -> Iterator[Case]:
    """Entries of people and of others whose signature is another's."""
    for name, index in (("an enrolment signed by another", 1), ("a training signed by another", 7)):
        plain = json.loads(log.lines[index])
        line = canonical({**plain, "signature": to_base64(ben().sign(canonical(plain["body"])))})
        pairs = [*log.pairs[:index], (line, log.pairs[index][1]), *log.pairs[index + 1 :]]
        for quick in (False, True):
            refused = not quick or index == 1
            yield Case(
                f"{name}{', quickly judged' if quick else ''}",
                tuple(pairs),
                note_over(pairs),
                (f"entry {index}", "was changed, or was not signed by") if refused else None,
                quick=quick,
            )
    for name, change in (
        ("a time that is none", {"time": "2026-13-45T00:00:00.000000Z"}),
        ("a key that is none", {"key": "x"}),
        ("an outcome that is none", {"outcome": "perhaps"}),
        ("a details that is no digest", {"details": "sha256:x"}),
    ):
        body = json.loads(log.lines[7])["body"] | change
        line = canonical({"body": body, "signature": to_base64(ada().sign(canonical(body)))})
        pairs = [*log.pairs[:7], (line, log.pairs[7][1]), *log.pairs[8:]]
        yield Case(name, tuple(pairs), note_over(pairs), ("entry 7",))


def _turned(plain: dict[str, Any]) -> bytes:
    turned = {"signature": plain["signature"], "body": plain["body"]}
    return json.dumps(turned, separators=(",", ":"), ensure_ascii=False).encode()


def _empty_note() -> str:
    return sign_note(Checkpoint(story.ORIGIN, 0, digest_root()), log_key())


def digest_root() -> bytes:
    """The root of the empty tree (RFC 6962)."""
    import hashlib

    return hashlib.sha256(b"").digest()


def of_heads() -> Iterator[Case]:
    """Checkpoints that are not of these entries, not signed by the log, or not continued."""
    log = logs.evaluated()
    pairs, size = log.pairs, len(log.entries)
    stranger = generate(KeyAlgorithm.ED25519)
    whole = tuple(pairs)
    other = logs.evaluated()
    other.append(ada(), "data.validate", {}, outcome=Outcome.FAILED)
    yield Case("a checkpoint of a stranger", whole, note_over(pairs, stranger), ("no signature",))
    yield Case("a checkpoint that is none", whole, "nonsense", ("signed note",))
    yield Case(
        "another log key is trusted",
        whole,
        log.checkpoint,
        ("not signed by a log key that you trust",),
        trusted=stranger.public,
    )
    yield Case("the log key is trusted", whole, log.checkpoint, None, trusted=log_key().public)
    yield Case("entries after the checkpoint", whole, note_over(pairs[:-1]), (f"entry {size - 1} was added after it",))
    bent = sign_note(Checkpoint(story.ORIGIN, size, bytes(32)), log_key())
    yield Case("a checkpoint with another root", whole, bent, ("not the one in the checkpoint",))
    elsewhere = sign_note(Checkpoint("elsewhere.example", size, log.head.root), log_key())
    yield Case("a checkpoint of another log", whole, elsewhere, ("entry 0 belongs to the log",))
    yield Case("a log that continues", whole, log.checkpoint, None, known=note_over(pairs[:5]))
    yield Case("a log that is as it was", whole, log.checkpoint, None, known=log.checkpoint)
    yield Case(
        "a log that was rolled back", tuple(pairs[:5]), note_over(pairs[:5]), ("was rolled back",), known=log.checkpoint
    )
    yield Case(
        "two histories",
        whole,
        log.checkpoint,
        ("two histories",),
        known=sign_note(Checkpoint(story.ORIGIN, 5, bytes(32)), log_key()),
    )
    yield Case(
        "a known checkpoint of a stranger", whole, log.checkpoint, ("no signature",), known=note_over(pairs, stranger)
    )
    yield Case("a known checkpoint that is none", whole, log.checkpoint, ("signed note",), known="nonsense")
    yield Case("a log that is quickly judged", whole, log.checkpoint, None, quick=True)
    yield Case("a log in a pool", whole, log.checkpoint, None, ask=lambda: _pooled(whole, log.checkpoint))
    for name, index in (("a training in a pool", 7), ("an enrolment in a pool", 2)):
        plain = json.loads(log.lines[index])
        line = canonical({**plain, "signature": to_base64(dan().sign(canonical(plain["body"])))})
        bent_pairs = (*pairs[:index], (line, pairs[index][1]), *pairs[index + 1 :])
        note = note_over(list(bent_pairs))
        words = (f"entry {index}", "was changed, or was not signed by")
        yield Case(f"{name} signed by another", (), "", words, ask=partial(_pooled, bent_pairs, note))
    yield Case("a log that is read at length", whole, log.checkpoint, None, ask=lambda: _long(whole, log.checkpoint))
    yield Case(
        "a signature in a log that is read at length", (), "", ("entry 7",), ask=lambda: _long(*_bent_training())
    )


def _bent_training() -> tuple[tuple[Pair, ...], str]:
    log = logs.evaluated()
    plain = json.loads(log.lines[7])
    line = canonical({**plain, "signature": to_base64(ben().sign(canonical(plain["body"])))})
    pairs = [*log.pairs[:7], (line, log.pairs[7][1]), *log.pairs[8:]]
    return tuple(pairs), note_over(pairs)


def _long(pairs: tuple[Pair, ...], note: str) -> str:
    checks, _ = verification.verify_log(pairs, note)
    return next((check.detail for check in checks if not check.passed), "")


def _pooled(pairs: tuple[Pair, ...], note: str) -> str:
    """As a log of many entries is judged, with threads for processes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_WORTH_A_POOL", 3)
        patch.setattr(verification, "CHUNK", 3)
        patch.setattr(log_entries, "CHUNK", 3)
        patch.setattr(concurrent.futures, "ProcessPoolExecutor", lambda count, _: ThreadPoolExecutor(count))
        return _long(pairs, note)
