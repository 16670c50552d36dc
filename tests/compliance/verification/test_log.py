"""Judging a log: the first bad entry is named, whatever is wrong with it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, sign_note
from minivess.compliance.proofs.merkle import EMPTY_ROOT
from minivess.compliance.verification.log import verify_entries, verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import parse_trust
from minivess.records.log.entry import Outcome
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.people.roles import Role
from tests.support.builders.pack_builder import (
    BEGIN,
    ORIGIN,
    LogBuilder,
    ada,
    begin,
    ben,
    cleo,
    log_key,
    person,
    service,
    story,
    trusted_keys,
)

pytestmark = pytest.mark.verifies("REQ-002", "RC-06", "SU-14")


def failure(lines: list[tuple[bytes, bytes | None]], checkpoint: str, **trust: object) -> str:
    """What the first failing check says; fails the test when all hold."""
    checks, _, _ = verify_entries(lines, checkpoint, **trust)
    bad = [check for check in checks if not check.passed]
    assert bad
    return bad[0].detail


def test_a_whole_log_holds() -> None:
    log = story()
    checks, standing, entries = verify_entries(log.pairs, log.checkpoint, trust=log_key().public)
    assert all(check.passed for check in checks)
    names = ["log entries", "log signatures", "log checkpoint", "log completeness", "log trust"]
    assert [check.name for check in checks] == names
    assert entries == log.entries
    assert standing.register.size == len(entries)


def test_any_entry_that_is_taken_out_is_named() -> None:
    log = story()
    lines, checkpoint = log.pairs, log.checkpoint
    for index in range(len(lines)):
        assert f"entry {index} is missing" in failure(lines[:index] + lines[index + 1 :], checkpoint)


def test_swapped_and_repeated_entries_are_named() -> None:
    log = story()
    lines, checkpoint = log.pairs, log.checkpoint
    for index in range(len(lines) - 1):
        swapped = [*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]]
        assert f"entry {index} is missing" in failure(swapped, checkpoint)
        repeated = [*lines[: index + 1], lines[index], *lines[index + 1 :]]
        assert f"entry {index} occurs twice" in failure(repeated, checkpoint)


def test_any_flipped_byte_is_noticed() -> None:
    log = begin()
    log.append(ada(), "criteria.register", {"criteria": [{"measure": "dice", "at_least": 0.85}]})
    lines, checkpoint = log.pairs, log.checkpoint
    line = lines[-1][0]
    for position in range(0, len(line), 3):
        changed = bytearray(line)
        changed[position] ^= 1
        detail = failure([*lines[:-1], (bytes(changed), None)], checkpoint)
        assert "4" in detail or "Merkle" in detail


def test_a_changed_entry_that_keeps_its_form_fails_its_signature() -> None:
    log = story()
    lines = log.pairs
    value = json.loads(lines[-1][0])
    value["body"]["payload"]["failed"], value["body"]["payload"]["passed"] = 3, 0
    assert f"entry {len(lines) - 1} (scenarios) was changed" in failure(
        [*lines[:-1], (canonical(value), None)], log.checkpoint
    )


def test_an_entry_replaced_by_its_own_actor_breaks_the_root() -> None:
    log = story()
    checkpoint = log.checkpoint
    last = log.entries.pop()
    log.details.pop()
    log.append(service("pipeline"), "scenarios", {**last.body.payload, "passed": 99})
    assert "Merkle root" in failure(log.pairs, checkpoint)


def test_entries_added_after_the_checkpoint_are_noticed() -> None:
    log = begin()
    checkpoint = log.checkpoint
    log.append(ada(), "criteria.register", {"criteria": []})
    assert "entry 4 was added" in failure(log.pairs, checkpoint)


def test_the_checkpoint_must_be_signed_by_the_log_key() -> None:
    log = begin()
    other = generate(KeyAlgorithm.ED25519)
    assert "no signature" in failure(log.pairs, sign_note(log.head, other))
    assert "not signed by a log key that you trust" in failure(log.pairs, log.checkpoint, trust=other.public)
    assert "signed note" in failure(log.pairs, "nonsense")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log": "elsewhere.example"}, "belongs to the log elsewhere.example"),
        ({"time": BEGIN - timedelta(seconds=1)}, "dated before"),
        ({"started": 1}, "did not start"),
        ({"payload": {"patient": "Jane"}}, "its payload belongs into its details"),
        ({"action": "unheard-of"}, "unknown action"),
        ({"details": None}, "details of entry 4 were changed"),
        ({"actor": "ben"}, "the key is that of ada"),
        ({"key": "0" * 64}, "not enrolled"),
    ],
)
def test_what_an_entry_may_not_say(changes: dict[str, object], words: str) -> None:
    log = begin()
    log.append(ada(), "data.ingest", {"dataset": "x", "cases": 1}, **changes)
    detail = failure(log.pairs, log.checkpoint)
    assert "entry 4" in detail
    assert words in detail


def test_a_payload_has_declared_fields_alone() -> None:
    log = begin()
    log.append(ada(), "data.ingest", {"dataset": "x", "cases": 1, "patient": "Jane"})
    assert "entry 4: the payload of 'data.ingest' is refused: patient" in failure(log.pairs, log.checkpoint)
    log = begin()
    log.append(ada(), "criteria.register", {"criteria": [], "patient": "Jane"})
    assert "entry 4: the payload of 'criteria.register' is refused: patient" in failure(log.pairs, log.checkpoint)


@pytest.mark.verifies("REQ-062", "RC-18")
class TestDetails:
    """Details are what their entry commits to, and go missing only when a later entry says so."""

    def test_changed_details_are_named(self) -> None:
        log = story()
        told = log.details[4]
        assert told is not None
        log.details[4] = told.replace(b"synthetic", b"synthetiC")
        assert "the details of entry 4 were changed" in failure(log.pairs, log.checkpoint)
        log.details[4] = None
        assert "the details of entry 4 are missing" in failure(log.pairs, log.checkpoint)
        log = story()
        log.details[0] = told
        assert "the details of entry 0 were changed" in failure(log.pairs, log.checkpoint)

    def test_erased_details_break_no_proof(self) -> None:
        log = story()
        log.append(cleo(), "entry.erased", {"entry": 4, "reason": "a name stood in it"})
        assert all(check.passed for check in verify_entries(log.pairs, log.checkpoint)[0])
        receipt = log.receipt(4)
        log.details[4] = None
        checks, standing, _ = verify_entries(log.pairs, log.checkpoint)
        assert all(check.passed for check in checks)
        assert "the details of 1 erased" in checks[0].detail
        for held in (receipt, log.receipt(4)):
            assert verify_receipt(held, log_key=log_key().public, actor=standing.register).holds

    def test_not_everybody_erases(self) -> None:
        for who in (ada(), service("pipeline")):
            log = story()
            log.append(who, "entry.erased", {"entry": 4, "reason": "a name stood in it"})
            assert "may not" in failure(log.pairs, log.checkpoint)
        for target in (99, 14):
            log = story()
            log.append(cleo(), "entry.erased", {"entry": target, "reason": "a name stood in it"})
            assert "beforehand" in failure(log.pairs, log.checkpoint)


@pytest.mark.verifies("REQ-063")
class TestLongLogs:
    """The streaming judgement says what the other says, also from several processes."""

    def test_it_agrees_with_the_judgement_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("minivess.compliance.verification.log._WORTH_A_POOL", 5)
        monkeypatch.setattr("minivess.compliance.verification.log.CHUNK", 3)
        monkeypatch.setattr("minivess.compliance.verification.log_entries.CHUNK", 3)
        log = story()
        heard: list[int] = []
        checks, register = verify_log(log.pairs, log.checkpoint, progress=heard.append)
        expected, known, _ = verify_entries(log.pairs, log.checkpoint)
        assert (checks, register) == (expected, known.register)
        assert heard[0] == 3
        changed = log.pairs
        changed[5] = (changed[5][0].replace(b"training", b"ensemble"), changed[5][1])
        changed[9] = (b"{}", None)
        checks, _ = verify_log(changed, log.checkpoint)
        assert [check.detail for check in checks if not check.passed] == [
            "entry 5 (ensemble) was changed, or was not signed by pipeline"
        ]

    def test_the_quick_way_believes_the_checkpoint_alone(self) -> None:
        log = story()
        checks, _ = verify_log(log.pairs, log.checkpoint, quick=True)
        assert all(check.passed for check in checks)
        assert "vouched for by the checkpoint" in checks[1].detail
        pairs = log.pairs
        pairs[5] = (pairs[5][0].replace(b"segresnet", b"segresneT").replace(b"pipeline", b"pipelinE"), pairs[5][1])
        assert not all(check.passed for check in verify_log(pairs, log.checkpoint, quick=True)[0])


@pytest.mark.verifies("REQ-009")
def test_keys_count_at_their_index_alone() -> None:
    log = begin()
    log.append(cleo(), "identity.revoked", {"identity": "ada", "reason": "lost"})
    log.append(ada(), "data.ingest", {"dataset": "x", "cases": 1})
    assert "entry 5 (data.ingest): the key of ada was revoked at entry 4" in failure(log.pairs, log.checkpoint)
    eve = person("eve", "Eve", Role.RELEASE_MANAGER)
    log = begin()
    log.enrol(eve, eve)
    assert "entry 4" in failure(log.pairs, log.checkpoint)


def test_a_log_begins_with_its_creation() -> None:
    log = LogBuilder()
    log.append(ada(), "criteria.register", {"criteria": []})
    assert "entry 0 does not create the log" in failure(log.pairs, log.checkpoint)
    log = LogBuilder()
    log.append(cleo(), "log.created", {}, outcome=Outcome.STARTED)
    assert "entry 0 does not create the log" in failure(log.pairs, log.checkpoint)
    empty = sign_note(Checkpoint(ORIGIN, 0, EMPTY_ROOT), log_key())
    assert "empty" in failure([], empty)


@pytest.mark.verifies("REQ-028")
class TestReceipts:
    """Receipts, verified without the log."""

    def test_each_receipt_holds_for_register_and_key(self) -> None:
        log = story()
        _, standing, entries = verify_entries(log.pairs, log.checkpoint)
        for entry in entries:
            receipt = log.receipt(entry.body.index)
            assert verify_receipt(receipt, log_key=log_key().public, actor=standing.register).holds
            key = standing.register.key(entry.body.key, entry.body.index).signing_key
            assert verify_receipt(receipt, log_key=log_key().public, actor=key).holds

    def test_a_changed_receipt_does_not(self) -> None:
        log = story()
        _, standing, _ = verify_entries(log.pairs, log.checkpoint)
        receipt, other = log.receipt(5), log.receipt(6)
        older = LogBuilder(entries=log.entries[:6], details=log.details[:6])
        changes = [
            {"index": 6},
            {"entry": other.entry},
            {"entry": receipt.entry.replace("training", "ensemble")},
            {"details": other.details},
            {"details": (receipt.details or "{}").replace("150", "151")},
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
            assert not verify_receipt(changed, log_key=log_key().public, actor=standing.register).holds

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
