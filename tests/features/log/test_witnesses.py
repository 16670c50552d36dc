"""Steps of features/witnesses.feature."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.checkpoint import parse_note, sign_note
from minivess.compliance.proofs.cosignature import (
    LOG,
    WITNESS,
    AddCheckpoint,
    parse_verifier_key,
    verifier_key,
    verify_cosignatures,
)
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.trust import Trust
from minivess.compliance.verification.witness import compare_views
from minivess.foundation.errors import InputError, MinivessError, RefusedError, VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy, WitnessState
from minivess.serving.witness.app import STATE_FILE, Witness, WitnessServer, change_keys, serve_log, write_state
from minivess.workflows.log.witnessing import cosign_checkpoint
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft

scenarios("witnesses.feature")


class Watched(Witness):
    """A witness whose requests are kept."""

    heard: list[bytes]

    def add_checkpoint(self, body: bytes) -> tuple[int, str, str]:
        self.heard.append(body)
        return super().add_checkpoint(body)


@dataclass
class Story:
    """What a scenario is about."""

    desk: Desk
    folder: Path
    signers: list[Signer]
    servers: list[WitnessServer] = field(default_factory=list)
    heard: list[bytes] = field(default_factory=list)
    note: str = ""
    error: MinivessError | None = None
    other: AuditLog | None = None

    def start(self) -> None:
        for number, signer in enumerate(self.signers):
            witness = Watched(self.folder / f"w{number}", signer)
            witness.heard = self.heard
            server = WitnessServer(witness)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)

    def stop(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.servers = []

    @property
    def policy(self) -> WitnessPolicy:
        keys = [verifier_key(f"w{number}.example", one.public, WITNESS) for number, one in enumerate(self.signers)]
        addresses = [
            WitnessAddress(url=server.url, key=key.text()) for server, key in zip(self.servers, keys, strict=True)
        ]
        return WitnessPolicy(quorum=2, witnesses=tuple(addresses))

    def ask(self, log: AuditLog) -> None:
        try:
            self.note, _ = cosign_checkpoint(log, self.policy)
        except MinivessError as error:
            self.error = error


@given("a log with three witnesses of whom two must vouch", target_fixture="story")
def _(tmp_path: Path) -> Iterator[Story]:
    desk = audit_logs.start(tmp_path / "desk")
    desk.log.append(draft(), desk.ada)
    story = Story(desk, tmp_path, [audit_logs.service(f"w{number}") for number in range(3)])
    for number in range(3):
        folder = tmp_path / f"w{number}"
        folder.mkdir()
        write_state(folder, WitnessState(name=f"w{number}.example"))
        serve_log(folder, verifier_key(desk.log.origin, desk.log_signer.public, LOG).text())
    story.start()
    yield story
    story.stop()


@given("the witnesses vouched for the log")
def _(story: Story) -> None:
    story.ask(story.desk.log)
    assert story.note


@given(parsers.parse("{count:d} of the witnesses are down"))
def _(story: Story, count: int) -> None:
    for server in story.servers[:count]:
        server.shutdown()
        server.socket.close()


@given("a copy of the log was put aside")
def _(story: Story) -> None:
    story.desk.log.close()
    source = story.desk.folder / "evidence" / "audit.db"
    shutil.copy(source, story.folder / "copy.db")
    story.other = AuditLog.open(f"sqlite:///{story.folder / 'copy.db'}", log_signer=story.desk.log_signer)


@given("the log grew by an entry and the witnesses vouched for it")
def _(story: Story) -> None:
    story.desk.log.append(draft(), story.desk.ada)
    story.ask(story.desk.log)
    assert story.note


@given("the state file of a witness is damaged")
def _(story: Story) -> None:
    path = story.folder / "w0" / STATE_FILE
    path.write_text(path.read_text(encoding="utf-8").replace('"size"', '"sise"'), encoding="utf-8")


@when("the log asks its witnesses")
def _(story: Story) -> None:
    story.ask(story.desk.log)


@when("five entries are added and the log asks its witnesses")
def _(story: Story) -> None:
    for _ in range(5):
        story.desk.log.append(draft(), story.desk.ada)
    story.note = ""
    story.ask(story.desk.log)


@when("the witnesses are restarted")
def _(story: Story) -> None:
    story.stop()
    story.start()


@when("the copy grows by another entry and asks the same witnesses")
def _(story: Story) -> None:
    assert story.other is not None
    story.other.append(draft(), story.desk.max)
    story.ask(story.other)


@when("the copy asks the same witnesses")
def _(story: Story) -> None:
    assert story.other is not None
    story.ask(story.other)


@when("another log asks these witnesses")
def _(story: Story) -> None:
    log = AuditLog.create(
        f"sqlite:///{story.folder / 'another.db'}",
        origin="minivess.test/another",
        device="toy",
        log_signer=story.desk.log_signer,
        roots=(story.desk.max.identity,),
        threshold=1,
        root_signer=story.desk.max,
    )
    story.ask(log)


@then("its checkpoint carries three signatures beside the log's own and verifies with a quorum of two")
def _(story: Story) -> None:
    log = story.desk.log
    assert story.error is None
    assert story.note == log.checkpoint()
    assert len(parse_note(story.note).signatures) == 4
    trust = Trust.of_key(log.key, story.policy)
    checks, _ = verify_log(log.pairs(), story.note, trust=trust)
    assert all(check.passed for check in checks), checks
    assert checks[-1].detail.endswith("vouched for by w0.example, w1.example, w2.example")
    bent = story.note.replace("w1.example", "w9.example").replace("w2.example", "w8.example")
    assert not verify_log(log.pairs(), bent, trust=trust)[0][-1].passed


@then("the witnesses received only the log's name, size, root and proof")
def _(story: Story) -> None:
    head = parse_note(story.note).checkpoint
    own = story.note[: story.note.index("\n\n")] + "\n\n" + story.note.split("\n\n")[1].splitlines()[0] + "\n"
    assert len(story.heard) == 3
    for body in story.heard:
        first, _, note = body.decode("utf-8").partition("\n\n")
        assert first == "old 0"
        assert note.startswith(own)
        assert note.startswith(head.body())


@then("two witnesses vouch for it")
def _(story: Story) -> None:
    assert story.error is None
    assert len(parse_note(story.note).signatures) == 3


@then("it is refused, and it says which ones did not answer")
def _(story: Story) -> None:
    assert isinstance(story.error, RefusedError)
    assert "w0.example: " in story.error.hint
    assert "w1.example: " in story.error.hint


@then("it is refused as a split view")
def _(story: Story) -> None:
    assert isinstance(story.error, VerificationError)
    assert "split view" in story.error.message or "two histories" in story.error.message


@then("it is refused as rolled back")
def _(story: Story) -> None:
    assert isinstance(story.error, VerificationError)
    assert "rolled back" in story.error.message


@then("both checkpoints together prove it to anyone")
def _(story: Story) -> None:
    assert story.other is not None
    key = story.desk.log_signer.public
    with pytest.raises(VerificationError, match="split view"):
        compare_views(story.note, story.other.checkpoint(), key)
    assert "same 3 entries" in compare_views(story.note, story.note, key)
    story.desk.log.append(draft(), story.desk.ada)
    log = story.desk.log
    assert "continues" in compare_views(log.checkpoint(), story.note, key, log.consistency(3))


@then("that witness does not start")
def _(story: Story) -> None:
    with pytest.raises(InputError, match="damaged"):
        Witness(story.folder / "w0", story.signers[0])


@when("an auditor asks a witness for the newest checkpoint of the log", target_fixture="served")
def _(story: Story) -> str:
    name = hashlib.sha256(story.desk.log.origin.encode()).hexdigest()
    connection = http.client.HTTPConnection("127.0.0.1", story.servers[0].server_port, timeout=20)
    connection.request("GET", f"/{name}/checkpoint")
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


@then("it is the log's checkpoint with the signatures of both")
def _(story: Story, served: str) -> None:
    head = believe(served, Trust.of_key(story.desk.log.key), story.desk.log.origin)
    assert head == believe(story.note, Trust.of_key(story.desk.log.key), story.desk.log.origin)
    assert verify_cosignatures(served, [parse_verifier_key(story.policy.witnesses[0].key)], 1)


@given("a witness accepts the next key of the log as well", target_fixture="next_key")
def _(story: Story) -> Signer:
    signer, origin = audit_logs.service("log"), story.desk.log.origin
    story.stop()
    change_keys(story.folder / "w0", origin, add=verifier_key(origin, signer.public, LOG).text())
    story.start()
    return signer


@when("a checkpoint is signed with the next key", target_fixture="answer")
def _(story: Story, next_key: Signer) -> tuple[int, str, str]:
    note = sign_note(parse_note(story.desk.log.checkpoint()).checkpoint, next_key)
    request = AddCheckpoint(0, (), note).text().encode()
    refused = story.servers[1].witness.add_checkpoint(request)
    assert refused[0] == 403
    return story.servers[0].witness.add_checkpoint(request)


@then("the witness cosigns it")
def _(answer: tuple[int, str, str]) -> None:
    assert (answer[0], answer[2].startswith("— w0.example ")) == (200, True)
