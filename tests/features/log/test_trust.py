"""Steps of features/trust.feature."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.log.audit import audit
from minivess.compliance.identity.keys import generate
from minivess.compliance.identity.register import Register
from minivess.compliance.proofs.cosignature import WITNESS, add_signatures, cosign, verifier_key
from minivess.compliance.proofs.encoding import to_base64
from minivess.compliance.proofs.tlog_proof import write_tlog_proof
from minivess.compliance.verification.belief import believe
from minivess.compliance.verification.log import verify_log
from minivess.compliance.verification.receipt import verify_receipt
from minivess.compliance.verification.trust import Trust, TrustedKeys, parse_trust, write_trust
from minivess.compliance.verification.witness import compare_views
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy
from minivess.records.people.identity import KeyAlgorithm
from minivess.records.verdict import VerdictState
from minivess.workflows.log.inspection import require_trusted
from minivess.workflows.people.accounts import trusted_keys
from tests.support.builders import audit_logs
from tests.support.builders.audit_logs import Desk, draft

scenarios("trust.feature")

WITNESSES = [generate(KeyAlgorithm.ED25519) for _ in range(3)]
COUNTS = {"one": 1, "two": 2, "three": 3}


@dataclass
class Story:
    """What a scenario is about."""

    desk: Desk
    folder: Path
    trust: Trust = field(default_factory=Trust)
    note: str | bytes = ""

    def write(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)


def start(folder: Path) -> Story:
    story = Story(audit_logs.start(folder / "log"), folder)
    for _ in range(3):
        story.desk.log.append(draft(), story.desk.ada)
    return story


@given("a workspace with a log", target_fixture="story")
def _(tmp_path: Path) -> Story:
    return start(tmp_path)


@given("a trust file that asks for two of three witnesses", target_fixture="story")
def _(tmp_path: Path) -> Story:
    story = start(tmp_path)
    addresses = tuple(
        WitnessAddress(url="http://127.0.0.1:1", key=verifier_key(f"w{number}.example", key.public, WITNESS).text())
        for number, key in enumerate(WITNESSES)
    )
    policy = WitnessPolicy(quorum=2, witnesses=addresses)
    register = Register.fold(story.desk.log.entries())
    story.trust = parse_trust(write_trust(register, story.desk.log.origin, witnesses=policy))
    return story


@when(parsers.re("(?P<count>one|two|three) of them vouched for the checkpoint"))
def _(story: Story, count: str) -> None:
    note = story.desk.log.checkpoint()
    for number, key in enumerate(WITNESSES[: COUNTS[count]]):
        note = add_signatures(note, cosign(note, f"w{number}.example", key, 1_700_000_000))
    story.note = note


@then(parsers.re("the log, a proof of it and a comparison are (?P<verdict>refused|accepted)"))
def _(story: Story, verdict: str) -> None:
    assert isinstance(story.note, str)
    log, trust, holds = story.desk.log, story.trust, verdict == "accepted"
    checks, _ = verify_log(log.pairs(), story.note, trust=trust)
    assert all(check.passed for check in checks) is holds
    receipt = log.prove(1).model_copy(update={"checkpoint": story.note})
    state = verify_receipt(receipt, log_key=trust, actor=trust).state
    assert (state is not VerdictState.NOT_VERIFIED) is holds
    if holds:
        assert "same" in compare_views(story.note, story.note, trust)
    else:
        with pytest.raises(VerificationError, match="quorum"):
            compare_views(story.note, story.note, trust)


@when("its trust file is written")
def _(story: Story) -> None:
    story.trust = parse_trust(trusted_keys(story.desk.services()))
    story.note = story.desk.log.checkpoint()


@then("the log verifies with it")
def _(story: Story) -> None:
    log = story.desk.log
    for _ in range(2):
        assert all(check.passed for check in verify_log(log.pairs(), log.checkpoint(), trust=story.trust)[0])
        receipt = log.prove(2)
        assert verify_receipt(receipt, log_key=story.trust, actor=story.trust).holds
        log.append(draft(), story.desk.max)


@then("a copy of the log that was rolled back does not")
def _(story: Story) -> None:
    log = story.desk.log
    older = str(story.note)
    pairs = list(log.pairs())[: int(older.split("\n")[1])]
    assert 2 < len(pairs) < log.size
    later = parse_trust(trusted_keys(story.desk.services()))
    checks, _ = verify_log(pairs, older, trust=later)
    assert all(check.passed for check in verify_log(pairs, older)[0])
    assert next(check.detail for check in checks if not check.passed).startswith("the log was rolled back")


@when("a byte of its checkpoint is not UTF-8")
def _(story: Story) -> None:
    note = story.desk.log.checkpoint()
    story.note = note.encode() + "— w.example AAAAAAAA\n".encode().replace(b"w.", b"\xff.")


@then("a comparison with it is refused")
def _(story: Story) -> None:
    trust = story.write("trust.json", trusted_keys(story.desk.services()))
    good, bad = story.write("good.txt", story.desk.log.checkpoint()), story.write("bad.txt", story.note)
    for first, second in ((good, bad), (bad, good)):
        done = CliRunner().invoke(audit, ["compare", first, second, "--trust", trust])
        assert done.exit_code not in {0, None}
        assert "UTF-8" in str(done.exception) + done.output
    done = CliRunner().invoke(audit, ["compare", good, good, "--trust", trust])
    assert (done.exit_code, "LIMITED" in done.output) == (0, False)


@when("a trust file of version 0.1.0 is used")
def _(story: Story) -> None:
    register = Register.fold(story.desk.log.entries())
    file = TrustedKeys(log_key=register.log_key, people=register.identities)
    story.write("trust.json", file.model_dump_json(exclude_defaults=True))


@then("a proof is accepted with a warning")
def _(story: Story) -> None:
    proof = story.write("2.tlog-proof", write_tlog_proof(story.desk.log.prove(2)))
    trust = str(story.folder / "trust.json")
    done = CliRunner().invoke(audit, ["verify", proof, "--trust", trust], obj=story.folder)
    assert done.exit_code == 0, done.output
    assert "LIMITED: the trust file names no release rules" in done.output


@then("the service does not start with the trust file of another log")
def _(story: Story, tmp_path: Path) -> None:
    services = story.desk.services()
    require_trusted(services, parse_trust(trusted_keys(services)))
    other = audit_logs.start(tmp_path / "other")
    with pytest.raises(VerificationError, match="does not verify with the trust file"):
        require_trusted(services, parse_trust(trusted_keys(other.services())))


@when(parsers.parse("its checkpoint has {oddity}"))
def _(story: Story, oddity: str) -> None:
    note = story.desk.log.checkpoint()
    line = note.splitlines(keepends=True)[-1]
    story.note = {
        "a signature line of an unknown key": f"{note}— other.example {to_base64(bytes(68))}\n",
        "the log's signature line a second time": note + line,
        "a key name with a plus sign": f"{note}— a+b {to_base64(bytes(68))}\n",
        "lines that end with a carriage return": note.replace("\n", "\r\n"),
    }[oddity]


@then(parsers.re("it is (?P<read>accepted|refused)"))
def _(story: Story, read: str) -> None:
    key = story.desk.log_signer.public
    if read == "accepted":
        assert believe(story.note, Trust.of_key(key), story.desk.log.origin).size == story.desk.log.size
        return
    with pytest.raises(MinivessError):
        believe(story.note, Trust.of_key(key), story.desk.log.origin)
