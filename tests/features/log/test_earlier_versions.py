"""Steps of features/earlier_versions.feature."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.tlog_proof import parse_proof, receipt_of
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.pack import verify_pack
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import read_trust
from minivess.records.log.entry import Outcome
from minivess.records.log.receipt import Receipt
from minivess.records.verdict import VerdictState
from minivess.workflows.people.accounts import unlock
from minivess.workflows.session.services import open_services
from tests.support import earlier
from tests.support.builders.audit_logs import draft
from tests.support.builders.pack_builder import TEMPLATES

scenarios("earlier_versions.feature")

ACTIONS = [
    "calibration",
    "criteria.register",
    "data.add",
    "data.card",
    "data.ingest",
    "data.leakage",
    "data.profile",
    "data.pull",
    "data.push",
    "data.seal",
    "data.split",
    "data.validate",
    "ensemble",
    "entry.erased",
    "evaluation",
    "identity.enrolled",
    "identity.locked",
    "identity.refused",
    "identity.reinstated",
    "identity.revoked",
    "identity.rotated",
    "identity.unlock-failed",
    "identity.unlocked",
    "inference",
    "log.created",
    "model.export",
    "model.promote",
    "release.build",
    "release.sign",
    "risk.drill",
    "roots.changed",
    "run.disposition",
    "scenarios",
    "test-set.approve",
    "test-set.open",
    "test-set.request",
    "trace.approve",
    "trace.attest",
    "trace.baseline",
    "trace.review",
    "training",
]
TRUST = earlier.FOLDER / "trust.json"
Pairs = list[tuple[bytes, bytes | None]]


@dataclass
class Story:
    """A log of 0.1.0 as it was read."""

    workspace: Path
    pairs: Pairs = field(default_factory=list)
    note: str = ""
    bent: list[tuple[Pairs, str]] = field(default_factory=list)

    def read(self, log: AuditLog) -> None:
        self.pairs, self.note = list(log.pairs()), log.checkpoint()


def holds(pairs: Pairs, note: str) -> bool:
    known = (earlier.FOLDER / "earlier-checkpoint.txt").read_text(encoding="utf-8")
    checks, _ = verify_log(pairs, note, trust=read_trust(TRUST), known=known)
    return all(check.passed for check in checks)


@given("a workspace that version 0.1.0 wrote", target_fixture="story")
def _(tmp_path: Path) -> Story:
    story = Story(earlier.unpack(tmp_path / "workspace"))
    with closing(AuditLog.open(earlier.url_of(story.workspace), log_signer=None)) as log:
        story.read(log)
    return story


@when("its log is opened for reading")
def _(story: Story) -> None:
    assert story.note == (earlier.FOLDER / "checkpoint.txt").read_text(encoding="utf-8")


@then("the log verifies with the trust file and continues the checkpoint kept earlier")
def _(story: Story) -> None:
    assert holds(story.pairs, story.note)


@then("it has an entry of each action of version 0.1.0")
def _(story: Story) -> None:
    bodies = [json.loads(line)["body"] for line, _ in story.pairs]
    assert sorted({body["action"] for body in bodies}) == ACTIONS
    assert {body["outcome"] for body in bodies} == set(Outcome)


@then("the erased details are the only ones that are missing")
def _(story: Story) -> None:
    bodies = [(json.loads(line)["body"], details) for line, details in story.pairs]
    [erased] = [body["payload"]["entry"] for body, _ in bodies if body["action"] == "entry.erased"]
    assert [body["index"] for body, details in bodies if body["details"] and details is None] == [erased]


@when(parsers.parse("a user changes {what} in its log"))
def _(story: Story, what: str) -> None:
    def flip(data: bytes) -> bytes:
        return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]

    for index, (line, details) in islice(enumerate(story.pairs), 0, None, 3):
        before, after = story.pairs[:index], story.pairs[index + 1 :]
        if what == "a byte of an entry":
            story.bent.append(([*before, (flip(line), details), *after], story.note))
        elif what == "a byte of its details" and details is not None:
            story.bent.append(([*before, (line, flip(details)), *after], story.note))
    if what == "the signature of the head":
        story.bent.append((story.pairs, flip(story.note.encode()).decode()))


@then("verification refuses the log")
def _(story: Story) -> None:
    assert story.bent
    assert not any(holds(*bent) for bent in story.bent)


@given(parsers.re(r"(?P<name>entry\.tlog-proof|receipt\.json) that version 0.1.0 wrote"), target_fixture="receipt")
def _(name: str) -> Receipt:
    text = (earlier.FOLDER / name).read_text(encoding="utf-8")
    return receipt_of(parse_proof(text)) if name.endswith("proof") else Receipt.model_validate_json(text)


@then("it verifies with the trust file, and the verdict is limited")
def _(receipt: Receipt) -> None:
    keys = read_trust(TRUST)
    assert verify_receipt(receipt, log_key=keys, actor=keys).state is VerdictState.LIMITED


@then("it does not verify when a byte of its entry is changed")
def _(receipt: Receipt) -> None:
    keys, place = read_trust(TRUST), receipt.entry.index('"actor":"') + 9
    entry = receipt.entry[:place] + chr(ord(receipt.entry[place]) ^ 1) + receipt.entry[place + 1 :]
    bent = receipt.model_copy(update={"entry": entry})
    assert verify_receipt(bent, log_key=keys, actor=keys).state is VerdictState.NOT_VERIFIED


@given("the pack that version 0.1.0 wrote", target_fixture="pack")
def _() -> Path:
    return earlier.FOLDER / "evidence.zip"


def script(pack: Path, *trust: str) -> tuple[int, str]:
    command = [sys.executable, "-I", "-S", str(TEMPLATES / "verify.py"), str(pack), *trust]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout.splitlines()[-1]


@then("release verify and verify.py find nothing wrong, and the verdict is limited with the trust file")
def _(pack: Path) -> None:
    assert verify_pack(pack).state is verify_pack(pack, trust=TRUST).state is VerdictState.LIMITED
    for trust in ((), ("--trust", str(TRUST))):
        code, last = script(pack, *trust)
        assert code == 1
        assert "VERDICT: LIMITED" in last
        assert script(pack, *trust, "--allow-layout", "1")[0] == (1 if trust else 0)


@then("both refuse it when the model in it is changed")
def _(pack: Path, tmp_path: Path) -> None:
    files = dict(read_archive(pack.read_bytes()))
    [model] = [name for name in files if name.endswith(".onnx")]
    files[model] = files[model][:-1] + bytes([files[model][-1] ^ 1])
    bent = tmp_path / "bent.zip"
    bent.write_bytes(write_archive(files))
    assert verify_pack(bent, trust=TRUST).state is VerdictState.NOT_VERIFIED
    code, last = script(bent, "--trust", str(TRUST))
    assert code == 1
    assert "VERDICT: NOT VERIFIED" in last


@pytest.fixture
def size_before(story: Story) -> int:
    return len(story.pairs)


@when("Ada unlocks her key and records a validation")
def _(story: Story, size_before: int) -> None:
    with open_services(story.workspace, log_passphrase=earlier.PASSPHRASE) as services:
        receipt = services.log.append(draft(), unlock(services, "ada", earlier.PASSPHRASE))
        assert receipt.index == size_before
        story.read(services.log)


@then("the log verifies and has one entry more")
def _(story: Story, size_before: int) -> None:
    assert len(story.pairs) == size_before + 1
    assert holds(story.pairs, story.note)
