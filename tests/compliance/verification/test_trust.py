"""Trust files and the one door for checkpoints: `minivess` and `verify.py` come to the same state for each of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from minivess.compliance.identity.keys import PrivateKey, generate
from minivess.compliance.identity.register import Register
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.checkpoint import Checkpoint, key_hash, parse_note, raw_ed25519, sign_note
from minivess.compliance.proofs.cosignature import LOG, WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.merkle import leaf_hash, root
from minivess.compliance.proofs.tlog_policy import parse_policy
from minivess.compliance.verification.belief import Believed, LogAtHand, believe
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.pack import judge_files, verify_pack
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, parse_trust, write_trust
from minivess.compliance.verification.witness import compare_views
from minivess.foundation.errors import InputError, VerificationError
from minivess.records.log.receipt import Receipt
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.verdict import VerdictState
from tests.support.builders.pack_builder import (
    ORIGIN,
    TEMPLATES,
    ada,
    ben,
    cleo,
    complete_pack,
    log_key,
    story,
    trust_file,
    trusted_keys,
    trusted_keys_of_0_1_0,
)
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("REQ-151", "RC-50", "SU-14")

ONE, TWO, STRANGER = (generate(KeyAlgorithm.ED25519) for _ in range(3))
LOG_KEY = verifier_key(ORIGIN, log_key().public, LOG).text()
CHECKPOINT = "data/audit/checkpoint.txt"
PROOFS = "data/audit/proofs/"


def vkey(name: str, key: PrivateKey = ONE) -> str:
    return verifier_key(name, key.public, WITNESS).text()


def policy(quorum: str, *lines: str, log: str = LOG_KEY) -> str:
    return "".join(f"{line}\n" for line in (f"log {log}", *lines, f"quorum {quorum}"))


ASKED = policy("w1", f"witness w1 {vkey('w.example/1')}")
OF_TWO = (f"witness w1 {vkey('w.example/1')}", f"witness w2 {vkey('w.example/2', TWO)}")
FIRST_WITNESS = {"quorum": 1, "witnesses": [{"url": "http://127.0.0.1:1", "key": vkey("w.example/1")}]}


@cache
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("trust_verify", TEMPLATES / "verify.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@cache
def good() -> dict[str, bytes]:
    return complete_pack()


@cache
def note() -> str:
    return good()[CHECKPOINT].decode()


def cosigned(text: str, *lines: tuple[str, PrivateKey]) -> str:
    for name, key in lines:
        text = add_signatures(text, cosign(text, name, key, 1_700_000_000))
    return text


def with_note(text: str) -> dict[str, bytes]:
    """The pack with another note of the same checkpoint: what lies outside the bag's manifests is not looked at here."""
    return {
        name: content.replace(note().encode(), text.encode())
        if name == CHECKPOINT or name.startswith(PROOFS)
        else content
        for name, content in good().items()
    }


def both(folder: Path, files: dict[str, bytes], trust: bytes) -> tuple[str, str]:
    """The first failing check or the state, as each verifier has it; the checks of the bag are left out."""
    keys = parse_trust(trust)
    verdict = judge_files(files, subject="pack", container="", trusted=keys)
    wrong = [check.name for check in verdict.checks if not check.passed and check.name != "bag"]
    ours = wrong[0] if wrong else "limited" if verdict.limits else "holds"
    path = folder / "pack.zip"
    path.write_bytes(write_archive(files))
    (folder / "trust.json").write_bytes(trust)
    checks = script().Judgement(script().read_trust(trust)).read(path).checks
    failed = [name for name, held, _ in checks if not held and name != "bag"]
    limited = "holds" if script().read_trust(trust)["rules"] else "limited"
    return ours, failed[0] if failed else limited


def roots_of(*people: Any, threshold: int = 1) -> dict[str, Any]:
    keys = [{"id": one.identity.id, "key": one.identity.signing_key.model_dump(mode="json")} for one in people]
    return {"threshold": threshold, "keys": keys}


def release(**changes: Any) -> dict[str, Any]:
    return trust_file()["release"] | changes


def known(size: int, *, key: PrivateKey | None = None, bent: bool = False) -> str:
    lines = good()["data/audit/entries.jsonl"].split(b"\n")[:-1]
    here = root([leaf_hash(line) for line in lines[:size]]) if size <= len(lines) else bytes(32)
    return sign_note(Checkpoint(ORIGIN, size, bytes(32) if bent else here), key or log_key())


CASES: dict[str, tuple[Callable[[], bytes], Callable[[], str], str, str]] = {
    # what is trusted, the note of the checkpoint, what minivess says, what verify.py says
    "format 2": (trusted_keys, note, "holds", "holds"),
    "format 1": (trusted_keys_of_0_1_0, note, "limited", "limited"),
    "no rules": (lambda: trusted_keys(release=release(rules=[])), note, "limited", "limited"),
    "format 1, witness missing": (lambda: trusted_keys_of_0_1_0(witnesses=FIRST_WITNESS), note, "log trust", "log"),
    "format 1, witness there": (
        lambda: trusted_keys_of_0_1_0(witnesses=FIRST_WITNESS),
        lambda: cosigned(note(), ("w.example/1", ONE)),
        "limited",
        "limited",
    ),
    "witness missing": (lambda: trusted_keys(policy=ASKED), note, "log trust", "log"),
    "witness there": (
        lambda: trusted_keys(policy=ASKED),
        lambda: cosigned(note(), ("w.example/1", ONE)),
        "holds",
        "holds",
    ),
    "witness of another name": (
        lambda: trusted_keys(policy=ASKED),
        lambda: cosigned(note(), ("w.example/9", ONE)),
        "log trust",
        "log",
    ),
    "witness with another key": (
        lambda: trusted_keys(policy=ASKED),
        lambda: cosigned(note(), ("w.example/1", TWO)),
        "log trust",
        "log",
    ),
    "one of two, any": (
        lambda: trusted_keys(policy=policy("g", *OF_TWO, "group g any w1 w2")),
        lambda: cosigned(note(), ("w.example/2", TWO)),
        "holds",
        "holds",
    ),
    "one of two, all": (
        lambda: trusted_keys(policy=policy("g", *OF_TWO, "group g all w1 w2")),
        lambda: cosigned(note(), ("w.example/2", TWO)),
        "log trust",
        "log",
    ),
    "groups of groups": (
        lambda: trusted_keys(policy=policy("g", *OF_TWO, "group a 1 w1", "group b 1 w2", "group g 2 a b")),
        lambda: cosigned(note(), ("w.example/2", TWO), ("w.example/1", ONE)),
        "holds",
        "holds",
    ),
    "another log's key": (
        lambda: trusted_keys(policy=policy("none", log=verifier_key(ORIGIN, STRANGER.public, LOG).text())),
        note,
        "log trust",
        "log",
    ),
    "another log's name": (
        lambda: trusted_keys(
            policy=policy("none", log=verifier_key("other", log_key().public, LOG).text()), roots=roots_of(ada())
        ),
        note,
        "log trust",
        "log",
    ),
    "other roots": (lambda: trusted_keys(roots=roots_of(ada())), note, "log trust", "log"),
    "a higher threshold": (
        lambda: trusted_keys(roots=roots_of(ada(), ben(), threshold=2)),
        note,
        "log trust",
        "log",
    ),
    "a former key": (lambda: trusted_keys(former=[{"log": LOG_KEY, "below": 3}]), note, "holds", "holds"),
    "only the former key": (
        lambda: trusted_keys(
            policy=policy("none", log=verifier_key(ORIGIN, STRANGER.public, LOG).text()),
            former=[{"log": LOG_KEY, "below": 10_000}],
        ),
        note,
        "holds",
        "holds",
    ),
    "known, older": (lambda: trusted_keys(known=known(4)), note, "holds", "holds"),
    "known, newer": (lambda: trusted_keys(known=known(10_000)), note, "holds", "holds"),
    "known, another history": (lambda: trusted_keys(known=known(4, bent=True)), note, "log trust", "log"),
    "known, not the log's": (lambda: trusted_keys(known=known(4, key=STRANGER)), note, "log checkpoint", "log"),
    "a stricter rule": (
        lambda: trusted_keys(
            release=release(rules=[*release()["rules"], {"role": "release-manager", "meaning": "responsibility"}])
        ),
        note,
        "release signatures",
        "release signatures",
    ),
    "a signer is missing": (
        lambda: trusted_keys([ben(), ada()]),
        note,
        "release signatures",
        "release signatures",
    ),
    "a signer with another role": (
        lambda: trusted_keys(release=release(signers=[one | {"roles": ["developer"]} for one in release()["signers"]])),
        note,
        "release signatures",
        "release signatures",
    ),
    "a later layout": (lambda: trusted_keys(layout=2), note, "layout", "layout"),
}


@pytest.mark.parametrize("case", CASES)
def test_both_verifiers_come_to_the_same(case: str, tmp_path: Path) -> None:
    trust, checkpoint, ours, theirs = CASES[case]
    assert both(tmp_path, with_note(checkpoint()), trust()) == (ours, theirs)


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "minivess-trust/3"},
        {"policy": None},
        {"policy": ""},
        {"policy": "quorum none\n"},
        {"policy": policy("w1")},
        {"policy": 5},
        {"roots": None},
        {"roots": {"threshold": 1, "keys": []}},
        {"roots": roots_of(ada(), threshold=2)},
        {"roots": roots_of(ada(), ada(), threshold=1)},
        {"roots": roots_of(ada(), threshold=0)},
        {"former": [{"log": vkey("w"), "below": 3}]},
        {"former": [{"log": LOG_KEY, "below": 0}]},
        {"former": [{"log": LOG_KEY}]},
        {"release": {"rules": [], "people": []}},
        {"release": {"signers": [{"id": "ada"}]}},
        {"services": [{"id": "x"}]},
        {"known": "nothing"},
        {"known": 5},
        {"layout": 0},
        {"layout": True},
        {"more": 1},
    ],
)
def test_a_malformed_trust_file_is_refused_by_both(wrong: dict[str, Any]) -> None:
    data = trusted_keys(**wrong)
    with pytest.raises(InputError):
        parse_trust(data)
    with pytest.raises((script().WrongError, ValueError, TypeError, KeyError, AttributeError)):
        script().read_trust(data)


def test_a_field_twice_and_what_is_no_json_are_refused_by_both() -> None:
    for data in (b"{}", b"[]", b"null", b"\xff", trusted_keys()[:-1], trusted_keys()[:-1] + b',"layout":1,"layout":1}'):
        with pytest.raises(InputError):
            parse_trust(data)
        with pytest.raises((script().WrongError, ValueError, TypeError, KeyError, AttributeError)):
            script().read_trust(data)


@pytest.mark.parametrize(("trust", "code"), [(trusted_keys(), 0), (trusted_keys_of_0_1_0(), 1)])
def test_a_limited_verdict_is_no_success(trust: bytes, code: int, tmp_path: Path) -> None:
    path, keys = tmp_path / "pack.zip", tmp_path / "trust.json"
    path.write_bytes(write_archive(good()))
    keys.write_bytes(trust)
    verdict = verify_pack(path, trust=keys)
    assert verdict.trusted
    assert verdict.accepted(least_layout=1) is (code == 0)
    assert verdict.state is VerdictState.LIMITED
    assert bool(verdict.limits) is bool(code)
    command = [sys.executable, "-I", "-S", str(TEMPLATES / "verify.py"), str(path), "--trust", str(keys)]
    done = subprocess.run([*command, "--allow-layout", "1"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == code
    assert ("the trust file names no release rules" in done.stdout) is bool(code)
    assert "VERDICT: LIMITED" in done.stdout


class TestDoors:
    """Every door asks for the quorum, the log's key and its origin."""

    log = story()
    trust = parse_trust(trusted_keys([ada(), ben()], policy=ASKED))

    def cosigned(self) -> str:
        return cosigned(self.log.checkpoint, ("w.example/1", ONE))

    def receipt(self, checkpoint: str) -> Receipt:
        return self.log.receipt(0).model_copy(update={"checkpoint": checkpoint})

    def test_receipt(self) -> None:
        for text, holds in ((self.log.checkpoint, False), (self.cosigned(), True)):
            assert verify_receipt(self.receipt(text), log_key=self.trust, actor=self.trust).holds is holds

    def test_a_file_of_0_1_0_with_witnesses_is_held_to_them(self) -> None:
        trust = parse_trust(trusted_keys_of_0_1_0([cleo()], witnesses=FIRST_WITNESS))
        states = [
            verify_receipt(self.receipt(text), log_key=trust, actor=trust).state
            for text in (self.log.checkpoint, self.cosigned())
        ]
        assert states == [VerdictState.NOT_VERIFIED, VerdictState.LIMITED]
        with pytest.raises(VerificationError, match="quorum"):
            compare_views(self.log.checkpoint, self.cosigned(), trust)

    def test_compare(self) -> None:
        assert "same" in compare_views(self.cosigned(), self.cosigned(), self.trust)
        for first, second in ((self.log.checkpoint, self.cosigned()), (self.cosigned(), self.log.checkpoint)):
            with pytest.raises(VerificationError, match="quorum"):
                compare_views(first, second, self.trust)

    def test_compare_takes_no_note_that_is_not_utf_8(self) -> None:
        bad = self.cosigned().encode().replace("— w.example".encode(), b"\xe2\x80\x94 \xff.example")
        for first, second in ((bad, self.cosigned()), (self.cosigned(), bad)):
            with pytest.raises(InputError, match="UTF-8"):
                compare_views(first, second, self.trust)

    def test_log(self) -> None:
        for text, holds in ((self.log.checkpoint, False), (self.cosigned(), True)):
            checks, _ = verify_log(self.log.pairs, text, trust=self.trust)
            assert all(check.passed for check in checks) is holds

    def test_the_log_as_it_is_now_must_have_all_that_is_known(self) -> None:
        later = sign_note(Checkpoint(ORIGIN, len(self.log.entries) + 1, bytes(32)), log_key())
        trust = parse_trust(trusted_keys(known=later))
        checks, _ = verify_log(self.log.pairs, self.log.checkpoint, trust=trust)
        assert "rolled back" in checks[-1].detail
        assert not checks[-1].passed

    def test_a_known_checkpoint_of_the_same_size_is_the_same(self) -> None:
        bent = sign_note(Checkpoint(ORIGIN, len(self.log.entries), bytes(32)), log_key())
        trust = parse_trust(trusted_keys(known=bent))
        with pytest.raises(VerificationError, match="two histories"):
            believe(self.log.checkpoint, trust, ORIGIN)
        assert not verify_receipt(self.log.receipt(0), log_key=trust, actor=trust).holds

    def test_a_limited_receipt_says_so(self) -> None:
        trust = parse_trust(trusted_keys_of_0_1_0([cleo()]))
        assert verify_receipt(self.log.receipt(0), log_key=trust, actor=trust).state is VerdictState.LIMITED


def test_another_log_another_signer_or_an_empty_log_with_entries_is_not_believed() -> None:
    trust = Trust.of_key(log_key().public)
    head = story().head
    text = sign_note(head, log_key())
    assert believe(text, trust, ORIGIN) == Believed(head.size, head.root)
    assert believe(text.encode(), trust, LogAtHand(ORIGIN)) == (head.size, head.root)
    with pytest.raises(VerificationError, match="not of elsewhere"):
        believe(text, trust, "elsewhere")
    with pytest.raises(VerificationError, match="not signed by a log key that you trust"):
        believe(sign_note(head, STRANGER), trust, ORIGIN)
    with pytest.raises(VerificationError, match="no key of the log"):
        believe(text, Trust(), ORIGIN)
    body = f"{ORIGIN}\n0\n{'A' * 43}=\n"
    key = key_hash(ORIGIN, raw_ed25519(log_key().public))
    line = to_base64(key + log_key().sign(body.encode()))
    with pytest.raises(VerificationError, match="says that it has none"):
        believe(f"{body}\n— {ORIGIN} {line}\n", trust, ORIGIN)


def test_a_key_counts_for_its_sizes_alone() -> None:
    trust = parse_trust(trusted_keys(former=[{"log": verifier_key(ORIGIN, STRANGER.public, LOG).text(), "below": 5}]))
    for size, key, holds in ((4, STRANGER, True), (4, log_key(), False), (5, log_key(), True), (5, STRANGER, False)):
        text = sign_note(Checkpoint(ORIGIN, size, bytes(32)), key)
        if holds:
            assert believe(text, trust, ORIGIN).size == size
        else:
            with pytest.raises(VerificationError):
                believe(text, trust, ORIGIN)


@pytest.mark.parametrize("code", [*range(0x20), 0x2B, *range(0x7F, 0xA1), 0x1680, 0x2028, 0x3000, 0x61, 0xE9, 0x200B])
def test_both_readers_of_notes_take_the_same_characters_in_an_origin(code: int) -> None:
    odd = (chr(code) + note()).encode()
    try:
        script().read_note(odd)
        theirs = True
    except script().WrongError:
        theirs = False
    try:
        parse_note(odd)
        ours = True
    except InputError:
        ours = False
    assert ours == theirs


@given(st.data())
def test_both_readers_of_notes_agree_on_bent_ones(data: st.DataObject) -> None:
    good_note = cosigned(note(), ("w.example/1", ONE)).encode()
    start = data.draw(st.integers(0, len(good_note)))
    end = data.draw(st.integers(start, min(len(good_note), start + 12)))
    piece = data.draw(st.binary(max_size=6) | st.sampled_from([b"\n", b"\n\n", b" ", "— a AAAAAAAA\n".encode()]))
    bent = good_note[:start] + piece + good_note[end:]
    try:
        theirs: Any = script().read_note(bent)[1:4]
    except script().WrongError:
        theirs = None
    try:
        head = parse_note(bent).checkpoint
        ours: Any = (head.origin, head.size, head.root)
    except InputError:
        ours = None
    assert ours == theirs


LINES = (
    f"log {LOG_KEY}", f"log {vkey('x')}", f"log {LOG_KEY} https://log.example more", *OF_TWO, "witness none " + vkey("w"),
    f"witness w3 {vkey('w.example/1')}", f"witness w4 {LOG_KEY}", f"witness w5 {vkey('w.example/5', STRANGER)} url",
    "group g any w1 w2", "group g all w1 w2", "group h 2 w1 w2 w5", "group h 1 g w5", "group i 2 g w5", "group j 0 w1",
    "group k 3 w1 w2", "group l 1 w1 w1", "group m 01 w1", "group n", "group w1 any w2", "group o 1 none",
    "quorum none", "quorum g", "quorum h", "quorum i", "quorum w1", "quorum", "quorum g h", "# quorum g", "", " \t ", "\tlog",
    "more", "quorum\tw1\t", "quorum w1\r",
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(LINES), max_size=7),
    st.sampled_from(["\n", ""]),
    st.sets(st.sampled_from(["w1", "w2", "w5"])),
)
def test_both_readers_of_policies_agree(lines: list[str], end: str, vouching: set[str]) -> None:
    text = "\n".join(lines) + end
    try:
        other: Any = script().read_policy(text)
    except (script().WrongError, ValueError):
        other = None
    try:
        ours = parse_policy(text)
    except InputError:
        ours = None
    assert (ours is None) is (other is None)
    if ours is not None:
        assert ours.met(vouching) is script().vouches(other["quorum"], other, vouching)


def test_what_audit_trust_writes_is_read_by_both() -> None:
    log = story()
    text = write_trust(Register.fold(log.entries), ORIGIN, rules=LEAST_RULES, known=log.checkpoint)
    trust, other = parse_trust(text), script().read_trust(text.encode())
    assert trust.rules == LEAST_RULES
    assert [one.id for one in trust.signers] == [one["id"] for one in other["signers"]]
    assert {one.id for one in trust.others} >= {"cleo", "pipeline", "log"}
    assert json.loads(text)["known"] == log.checkpoint
    assert canonical(json.loads(text)["release"]["rules"]) == canonical(other["rules"])
