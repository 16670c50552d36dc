"""Judging a log: the first bad entry is named, whatever is wrong with it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pack_builder import BEGIN, ORIGIN, LogBuilder, ada, begin, ben, cleo, log_key, person, service, story, trusted_keys

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.verification.log import verify_entries
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import parse_trust
from minivess.records.entry import Outcome
from minivess.records.identity import KeyAlgorithm, Role

pytestmark = pytest.mark.verifies("REQ-002", "RC-06")


def failure(lines: list[bytes], checkpoint: str, **trust: object) -> str:
    """What the first failing check says; fails the test when all hold."""
    checks, _, _ = verify_entries(lines, checkpoint, **trust)  # type: ignore[arg-type]
    bad = [check for check in checks if not check.passed]
    assert bad
    return bad[0].detail


def test_a_whole_log_holds() -> None:
    log = story()
    checks, register, entries = verify_entries(log.lines, log.checkpoint, trusted_log_key=log_key().public)
    assert all(check.passed for check in checks)
    assert [check.name for check in checks] == ["log entries", "log signatures", "log checkpoint", "log completeness"]
    assert entries == log.entries
    assert register.size == len(entries)


def test_any_entry_that_is_taken_out_is_named() -> None:
    log = story()
    lines, checkpoint = log.lines, log.checkpoint
    for index in range(len(lines)):
        assert f"entry {index} is missing" in failure(lines[:index] + lines[index + 1 :], checkpoint)


def test_swapped_and_repeated_entries_are_named() -> None:
    log = story()
    lines, checkpoint = log.lines, log.checkpoint
    for index in range(len(lines) - 1):
        swapped = [*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]]
        assert f"entry {index} is missing" in failure(swapped, checkpoint)
        repeated = [*lines[: index + 1], lines[index], *lines[index + 1 :]]
        assert f"entry {index} stands a second time" in failure(repeated, checkpoint)


def test_any_flipped_byte_is_noticed() -> None:
    log = begin()
    log.append(ada(), "criteria.register", {"criteria": [{"measure": "dice", "at_least": 0.85}]})
    lines, checkpoint = log.lines, log.checkpoint
    for position in range(0, len(lines[-1]), 3):
        changed = bytearray(lines[-1])
        changed[position] ^= 1
        detail = failure([*lines[:-1], bytes(changed)], checkpoint)
        assert "4" in detail or "Merkle" in detail


def test_a_changed_entry_that_keeps_its_form_fails_its_signature() -> None:
    log = story()
    lines = log.lines
    value = json.loads(lines[-1])
    value["body"]["payload"]["failed"], value["body"]["payload"]["passed"] = 3, 0
    assert f"entry {len(lines) - 1} (scenarios) was changed" in failure([*lines[:-1], canonical(value)], log.checkpoint)


def test_an_entry_replaced_by_its_own_actor_breaks_the_root() -> None:
    log = story()
    checkpoint = log.checkpoint
    last = log.entries.pop()
    log.append(service("pipeline"), "scenarios", {**last.body.payload, "passed": 99})
    assert "Merkle root" in failure(log.lines, checkpoint)


def test_entries_added_after_the_checkpoint_are_noticed() -> None:
    log = begin()
    checkpoint = log.checkpoint
    log.append(ada(), "criteria.register", {"criteria": []})
    assert "entry 4 was added" in failure(log.lines, checkpoint)


def test_the_checkpoint_must_be_signed_by_the_log_key() -> None:
    log = begin()
    other = generate(KeyAlgorithm.ED25519)
    assert "no signature" in failure(log.lines, sign_note(log.head, other))
    assert "than the one you trust" in failure(log.lines, log.checkpoint, trusted_log_key=other.public)
    assert "signed note" in failure(log.lines, "nonsense")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log": "elsewhere.example"}, "belongs to the log elsewhere.example"),
        ({"time": BEGIN - timedelta(seconds=1)}, "dated before"),
        ({"started": 1}, "started nothing"),
        ({"payload": {"dataset": "x", "cases": 1, "patient": "Jane"}}, "patient"),
        ({"action": "unheard-of"}, "unknown action"),
        ({"actor": "ben"}, "the key is that of ada"),
        ({"key": "0" * 64}, "not enrolled"),
    ],
)
def test_what_an_entry_may_not_say(changes: dict[str, object], words: str) -> None:
    log = begin()
    log.append(ada(), "data.ingest", {"dataset": "x", "cases": 1}, **changes)
    detail = failure(log.lines, log.checkpoint)
    assert "entry 4" in detail
    assert words in detail


@pytest.mark.verifies("REQ-009")
def test_keys_count_at_their_index_alone() -> None:
    log = begin()
    log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "lost"})
    log.append(ada(), "data.ingest", {"dataset": "x", "cases": 1})
    assert "entry 5 (data.ingest): the key of ada was revoked at entry 4" in failure(log.lines, log.checkpoint)
    eve = person("eve", "Eve", Role.RELEASE_MANAGER)
    log = begin()
    log.enrol(eve, eve)
    assert "entry 4" in failure(log.lines, log.checkpoint)


def test_a_log_begins_with_its_creation() -> None:
    log = LogBuilder()
    log.append(ada(), "criteria.register", {"criteria": []})
    assert "entry 0 does not create the log" in failure(log.lines, log.checkpoint)
    log = LogBuilder()
    log.append(cleo(), "log.created", {}, outcome=Outcome.STARTED)
    assert "entry 0 does not create the log" in failure(log.lines, log.checkpoint)
    empty = sign_note(Checkpoint(ORIGIN, 0, bytes(32)), log_key())
    assert "empty" in failure([], empty)


@pytest.mark.verifies("REQ-028")
class TestReceipts:
    """Receipts, verified without the log."""

    def test_each_receipt_holds_for_register_and_key(self) -> None:
        log = story()
        _, register, entries = verify_entries(log.lines, log.checkpoint)
        for entry in entries:
            receipt = log.receipt(entry.body.index)
            assert verify_receipt(receipt, log_key=log_key().public, actor=register).holds
            key = register.key(entry.body.key, entry.body.index).signing_key
            assert verify_receipt(receipt, log_key=log_key().public, actor=key).holds

    def test_a_changed_receipt_does_not(self) -> None:
        log = story()
        _, register, _ = verify_entries(log.lines, log.checkpoint)
        receipt, other = log.receipt(5), log.receipt(6)
        older = LogBuilder(entries=log.entries[:6])
        changes = [
            {"index": 6},
            {"entry": other.entry},
            {"entry": receipt.entry.replace("synthetic", "synthetiC").replace("training", "ensemble")},
            {"proof": other.proof},
            {"proof": receipt.proof[:-1]},
            {"proof": (*receipt.proof, receipt.proof[0])},
            {"proof": ("?",)},
            {"checkpoint": older.checkpoint},
            {"checkpoint": sign_note(log.head, generate(KeyAlgorithm.ED25519))},
            {"checkpoint": ""},
            {"entry": ""},
            {"entry": "\ud800"},
        ]
        for change in changes:
            changed = receipt.model_copy(update=change)
            assert not verify_receipt(changed, log_key=log_key().public, actor=register).holds

    def test_trusted_keys_vouch_for_those_they_name(self) -> None:
        receipt = story().receipt(5)
        for who, holds in ((service("pipeline"), True), (ben(), False)):
            trust = parse_trust(trusted_keys([who]).decode("utf-8"))
            assert verify_receipt(receipt, log_key=trust.log_key, actor=trust).holds is holds

    def test_other_keys_do_not_vouch(self) -> None:
        log = story()
        receipt = log.receipt(5)
        signer = service("pipeline").public
        assert not verify_receipt(receipt, log_key=generate(KeyAlgorithm.ED25519).public, actor=signer).holds
        assert not verify_receipt(receipt, log_key=log_key().public, actor=ben().public).holds
