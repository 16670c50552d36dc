"""Steps of signing.feature: a pack is verified for a person, shown to her, and signed by an entry that the pack proves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.identity.keystores.keyring import Keyring
from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.remembered_checkpoints import person
from minivess.compliance.identity.signature_rules import LEAST_RULES
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.cosignature import WITNESS as COSIGNATURE_KEY
from minivess.compliance.proofs.cosignature import verifier_key
from minivess.compliance.proofs.envelope import parse_envelope, parse_statement, payload_of
from minivess.compliance.verification.bag import SIGNATURE_LIST
from minivess.compliance.verification.pack import verify_pack
from minivess.compliance.verification.signatures import SIGNING_TEXT
from minivess.compliance.verification.trust import parse_trust
from minivess.foundation.digests import digest_bytes, digest_file
from minivess.foundation.errors import CouldNotCheckError, MinivessError, RefusedError
from minivess.foundation.paths import templates_folder
from minivess.records.device.witnesses import WitnessAddress, WitnessPolicy, WitnessState
from minivess.records.log.entry import Outcome
from minivess.records.people.approval import Manifestation, PolicyRule
from minivess.records.people.identity import Meaning
from minivess.records.people.roles import IdentityKind, Role
from minivess.serving.witness.app import serve_log, write_state
from minivess.workflows.log import proofs
from minivess.workflows.people import accounts
from minivess.workflows.release import build, signing
from minivess.workflows.session import remembered_checkpoints
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.compliance.identity import test_signature_rules as rules_of_both
from tests.support import sample_projects
from tests.support.builders.pack_builder import bag
from tests.support.builders.release_builder import policy_of_release
from tests.support.machines import machine
from tests.support.projects import PASSPHRASE, ProjectFolder
from tests.support.servers import witnessed
from tests.support.terminals import Terminal

scenarios("signing.feature")

WITNESS = "witness.example/w1"
PASSPHRASES = {"MINIVESS_PASSPHRASE_LOG": PASSPHRASE}
BOTH_ROLES = {
    "eva": (Role.DEVELOPER, Role.REVIEWER),
    "mia": (Role.REVIEWER, Role.RELEASE_MANAGER),
}


@dataclass
class Story:
    project: ProjectFolder
    pack: Path
    unsigned: ProjectFolder
    """Another copy of the same project and pack."""
    error: MinivessError | None = None
    terminal: Terminal | None = None
    code: int | None = None
    recorded: bytes = b""
    notes: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.project.workspace.root

    @property
    def files(self) -> dict[str, bytes]:
        return read_archive(self.pack.read_bytes())

    def services(self) -> Services:
        return self.project.services()

    def rewrite(self, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> None:
        self.pack.write_bytes(write_archive(change(self.files)))

    def sign(self, who: str) -> Manifestation:
        with self.services() as services:
            return signing.sign(services, self.project.signers[who], signing.examine(services, who, self.pack))

    def signatures_of(self, who: str) -> int:
        """How many completed signatures of somebody the log has."""
        with self.services() as services:
            found = services.log.entries(actions={"release.sign"})
            return sum(one.body.actor == who and one.body.outcome is Outcome.COMPLETED for one in found)

    def at_terminal(self, who: str, *options: str) -> Terminal:
        words = ["-C", str(self.root), "release", "sign", str(self.pack), "--as", who, *options]
        return Terminal(words, environment=PASSPHRASES, folder=self.root)

    def run_without_terminal(self, who: str, *options: str, **environment: str) -> Result:
        words = ["-C", str(self.root), "release", "sign", str(self.pack), "--as", who, *options]
        return CliRunner().invoke(app, words, env={**PASSPHRASES, **environment})

    def without_terminal(self, who: str, *options: str, **environment: str) -> None:
        result = self.run_without_terminal(who, *options, **environment)
        assert isinstance(result.exception, MinivessError), result.output
        self.error = result.exception


def _enrol(project: ProjectFolder, who: str, roles: tuple[Role, ...]) -> None:
    with project.services() as services:
        accounts.enrol(services, project.signers["max"], who)
    project.signers[who] = Keyring.of(project.workspace).unlock(who, PASSPHRASE)


def _make_keys(project: ProjectFolder, who: str, roles: tuple[Role, ...]) -> None:
    Keystore(project.workspace.keystore).create(who, who.title(), IdentityKind.PERSON, roles, PASSPHRASE)


@pytest.fixture(scope="module")
def built(releasable_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """A project whose release is built, with two people more who have two roles each."""
    folder = tmp_path_factory.mktemp("built")
    with machine(folder / "profile"):
        project = releasable_project.copy_to(folder / "project")
        for who, roles in BOTH_ROLES.items():
            _make_keys(project, who, roles)
            _enrol(project, who, roles)
        with project.services() as services:
            build.build(services, project.signers["max"])
    return project


@pytest.fixture
def story(built: ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project, other = built.copy_to(tmp_path / "project"), built.copy_to(tmp_path / "other")
    (pack,) = (project.workspace.root / "release").rglob("*.zip")
    made = Story(project, pack, other)
    yield made
    if made.terminal is not None:
        made.terminal.__exit__()


@given("a release that is built and not signed")
def _(story: Story) -> None:
    assert SIGNING_TEXT in story.files
    assert not any(name.startswith("signatures/") for name in story.files)


# --- at a terminal


@when(parsers.parse('Rosa signs at a terminal and types "{meaning}" and her passphrase'))
def _(story: Story, meaning: str) -> None:
    story.terminal = terminal = story.at_terminal("rosa")
    terminal.wait_for("Meaning of the signature of Rosa (rosa) (review): ")
    terminal.answer(meaning)
    terminal.wait_for("Passphrase of rosa: ")
    terminal.answer(PASSPHRASE)
    assert terminal.end() == 0, terminal.text


@when(parsers.parse('Rosa signs at a terminal and types "{meaning}" and another passphrase'))
def _(story: Story, meaning: str) -> None:
    story.terminal = terminal = story.at_terminal("rosa")
    terminal.wait_for("Meaning of the signature of Rosa (rosa) (review): ")
    terminal.answer(meaning)
    terminal.wait_for("Passphrase of rosa: ")
    terminal.answer("another passphrase")
    assert terminal.end() == 1, terminal.text


@then(parsers.parse('the terminal shows "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.terminal is not None
    assert words in story.terminal.text


@then("the terminal showed the signing text of the pack, and no passphrase")
def _(story: Story) -> None:
    assert story.terminal is not None
    assert story.files[SIGNING_TEXT].decode("utf-8") in story.terminal.text
    assert PASSPHRASE not in story.terminal.text


@then("the pack has her signature, the proof of its entry and the list of signatures")
def _(story: Story) -> None:
    files = story.files
    said = _said(files, "rosa")
    line = f"Rosa (rosa), {said.time:%Y-%m-%d %H:%M:%S} UTC, review, independent-reviewer\n"
    assert files[SIGNATURE_LIST].decode("utf-8") == line
    assert "signatures/rosa.tlog-proof" in files
    assert story.signatures_of("rosa") == 1
    failure = verify_pack(story.pack).first_failure
    assert failure is not None
    assert "a signature is missing" in failure.detail


@then("the signature binds the digest of the signing text")
def _(story: Story) -> None:
    assert _said(story.files, "rosa").shown == digest_bytes(story.files[SIGNING_TEXT])


def _said(files: dict[str, bytes], who: str) -> Manifestation:
    envelope = parse_envelope(files[f"signatures/{who}.dsse.json"])
    return Manifestation.model_validate(parse_statement(payload_of(envelope)).predicate)


@given("Mia, a reviewer and release manager")
def _(story: Story) -> None:
    assert "mia" in story.project.signers


@when(parsers.parse('Mia signs at a terminal, types "{wrong}", is asked again and types "{meaning}"'))
def _(story: Story, wrong: str, meaning: str) -> None:
    question = "Meaning of the signature of Mia (mia) (review, approval): "
    story.terminal = terminal = story.at_terminal("mia")
    terminal.wait_for(question)
    terminal.answer(wrong)
    terminal.wait_for(f"{question}{wrong}\nError: ")
    terminal.answer(meaning)
    terminal.wait_for("Passphrase of mia: ")
    terminal.answer(PASSPHRASE)
    assert terminal.end() == 0, terminal.text


@then(parsers.parse('her signature means "{meaning}"'))
def _(story: Story, meaning: str) -> None:
    assert _said(story.files, "mia").meaning.value == meaning


# --- without a terminal


@when("Rosa signs without a terminal")
def _(story: Story) -> None:
    story.without_terminal("rosa")


@when("Rosa signs with the digest of another text")
def _(story: Story) -> None:
    story.without_terminal("rosa", "--shown", digest_bytes(b"another text"))


@when("Rosa signs with the digest of the signing text and her passphrase in the environment")
def _(story: Story) -> None:
    shown = digest_bytes(story.files[SIGNING_TEXT])
    story.without_terminal("rosa", "--shown", shown, MINIVESS_PASSPHRASE_ROSA=PASSPHRASE)


@when(parsers.parse('Rosa signs with the digest of the signing text and the meaning "{meaning}"'))
def _(story: Story, meaning: str) -> None:
    story.without_terminal("rosa", "--shown", digest_bytes(story.files[SIGNING_TEXT]), "--meaning", meaning)


@given("a release of a demonstration that is built and not signed")
def _(story: Story, tmp_path: Path) -> None:
    story.project = sample_projects.releasable(demo=True).copy_to(tmp_path / "demonstration")
    with story.services() as services:
        story.pack = build.build(services, story.project.signers["max"]).path


@when("Rosa signs with the digest of the signing text, and the environment has her passphrase")
def _(story: Story) -> None:
    shown = digest_bytes(story.files[SIGNING_TEXT])
    result = story.run_without_terminal("rosa", "--shown", shown, "--json", MINIVESS_PASSPHRASE_ROSA=PASSPHRASE)
    assert result.exception is None, result.output
    assert json.loads(result.stdout)["shown"] == shown


@then(parsers.parse('without the digest the command refuses because "{why}"'))
def _(story: Story, why: str) -> None:
    story.without_terminal("max", MINIVESS_PASSPHRASE_MAX=PASSPHRASE)
    assert story.error is not None
    assert why in story.error.message
    assert story.signatures_of("max") == 0


@then(parsers.parse('the command refuses because "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.error is not None
    assert why in story.error.message
    assert story.error.exit_code != 0


@then("the log has no signature of hers")
def _(story: Story) -> None:
    assert story.signatures_of("rosa") == 0
    assert not any(name.startswith("signatures/") for name in story.files)


# --- people whose signature would not count


@given("nothing")
def _() -> None:
    """The release as it was built."""


@given("Rosa was revoked")
def _(story: Story) -> None:
    with story.services() as services:
        accounts.revoke(services, story.project.signers["max"], "rosa", "she left")


@given("Rosa is locked")
def _(story: Story) -> None:
    with story.services() as services:
        for _ in range(5):
            with pytest.raises(RefusedError):
                accounts.unlock(services, "rosa", "another passphrase")


@given("Zoe has keys and is not enrolled")
def _(story: Story) -> None:
    _make_keys(story.project, "zoe", (Role.REVIEWER,))


@given("Zoe was enrolled after the pack")
def _(story: Story) -> None:
    _make_keys(story.project, "zoe", (Role.REVIEWER,))
    _enrol(story.project, "zoe", (Role.REVIEWER,))


@given("Eva, a reviewer, exported the model too")
def _(story: Story) -> None:
    onnx = story.project.workspace.onnx
    with (
        story.services() as services,
        recorded(services, "model.export", story.project.signers["eva"], context=services.context()) as record,
    ):
        record.context(model=digest_file(onnx))
        record.output("models/model.onnx", onnx)
        record.payload(opset=18, max_abs_difference=0.0, tolerance=1e-4)


@given("Rosa has signed the pack")
def _(story: Story) -> None:
    story.sign("rosa")


@when("Rosa signs at a terminal")
def _(story: Story) -> None:
    story.terminal = story.at_terminal("rosa")
    story.code = story.terminal.end()


@then(parsers.parse('the terminal shows "{why}" and asks for nothing'))
def _(story: Story, why: str) -> None:
    assert story.terminal is not None
    assert story.code == 1, story.terminal.text
    assert why in story.terminal.text
    assert "Meaning of the signature" not in story.terminal.text
    assert "Passphrase of" not in story.terminal.text


# --- packs that do not hold


def _changed(files: dict[str, bytes], name: str, old: bytes, new: bytes) -> dict[str, bytes]:
    assert old in files[name]
    return {**files, name: files[name].replace(old, new, 1)}


@given("a figure in the pack was changed")
def _(story: Story) -> None:
    story.rewrite(lambda files: _changed(files, "data/evaluation/evaluation.json", b'"tp":', b'"tp":1'))


@given("the signing text in the pack was changed")
def _(story: Story) -> None:
    """The manifests of the bag fit the changed file."""
    story.rewrite(lambda files: bag(_changed(files, SIGNING_TEXT, b"Manufacturer", b"Made by")))


def _in_a_fork(story: Story, act: Callable[[Services], object]) -> None:
    """Let something happen in the other copy of the project, on a machine of its own."""
    with machine(story.root.parent / "elsewhere"), story.unsigned.services() as services:
        act(services)


def _build_in_a_fork(story: Story, act: Callable[[Services, Path], object]) -> Path:
    """The pack of the other copy, whose log has another entry before the release is built again."""
    root, signers = story.unsigned.workspace.root, story.unsigned.signers
    (pack,) = (root / "release").rglob("*.zip")

    def build_again(services: Services) -> None:
        accounts.revoke(services, signers["max"], "mia", "in the fork alone")
        pack.unlink()
        build.build(services, signers["max"])
        act(services, pack)

    _in_a_fork(story, build_again)
    return pack


@given("the pack is of a fork of the log")
def _(story: Story) -> None:
    shutil.copyfile(_build_in_a_fork(story, lambda *_: None), story.pack)


@given("Rosa saw another history of the log")
def _(story: Story) -> None:
    """Her profile has a checkpoint of the other copy, which went on in another way."""

    def see(services: Services) -> None:
        accounts.revoke(services, story.unsigned.signers["max"], "mia", "in the fork alone")
        remembered_checkpoints.require(services.log, rosa)
        story.notes.append(remembered_checkpoints.memory_of(services.log).of(person(rosa)) or "")

    rosa = story.project.signers["rosa"].identity
    _in_a_fork(story, see)
    with story.services() as services:
        accounts.revoke(services, story.project.signers["max"], "eva", "here alone")
        file = remembered_checkpoints.memory_of(services.log).file(person(rosa))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(story.notes[0], encoding="utf-8")


@given("no release.build of the log made the pack")
def _(story: Story) -> None:
    """The pack has another bag-info.txt, and so another tag manifest."""
    story.rewrite(bag)


def _signed_by_max(story: Story) -> None:
    story.sign("max")


@given("Max's signature in the pack has no proof")
def _(story: Story) -> None:
    _signed_by_max(story)
    story.rewrite(partial(_without, name="signatures/max.tlog-proof"))


@given("the list of signatures in the pack was changed")
def _(story: Story) -> None:
    _signed_by_max(story)
    story.rewrite(lambda files: _changed(files, SIGNATURE_LIST, b"approval", b"review"))


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    assert name in files
    return {other: content for other, content in files.items() if other != name}


@when(parsers.parse("{who} wants to sign it"))
def _(story: Story, who: str) -> None:
    with pytest.raises(RefusedError) as caught, story.services() as services:
        signing.examine(services, who.lower(), story.pack)
    story.error = caught.value


@then(parsers.parse('it is refused because "{why}"'))
def _(story: Story, why: str) -> None:
    assert story.error is not None
    assert why in story.error.message


# --- which signatures are required

_RULES = {
    "review": LEAST_RULES[0],
    "approval": LEAST_RULES[1],
    "developer": PolicyRule(role=Role.DEVELOPER, meaning=Meaning.APPROVAL),
}


@dataclass
class Required:
    policy: tuple[PolicyRule, ...] = ()
    trust: tuple[PolicyRule, ...] = ()
    signed: tuple[PolicyRule, ...] = ()


@pytest.fixture
def asked() -> Required:
    return Required()


def _rules(words: str) -> tuple[PolicyRule, ...]:
    return tuple(_RULES[word] for word in words.split(", ") if word != "nothing")


@given("the trust file requires the approval of a developer too")
def _(story: Story) -> None:
    """The project's trust file has the rules of the policy in its folder."""
    before = policy_of_release()
    rules = [rule.model_dump(mode="json") for rule in (*before.signatures.rules, _RULES["developer"])]
    changed = {**before.model_dump(mode="json"), "signatures": {"name": before.signatures.name, "rules": rules}}
    (story.root / "release" / "policy.yaml").write_text(json.dumps(changed), encoding="utf-8")


@when("Ada opens the pack to sign it", target_fixture="open_rules")
def _(story: Story) -> tuple[Meaning, ...]:
    with story.services() as services:
        return signing.examine(services, "ada", story.pack).meanings


@then(parsers.parse('her signature can mean "{meaning}", which the trust file requires'))
def _(story: Story, open_rules: tuple[Meaning, ...], meaning: str) -> None:
    assert [one.value for one in open_rules] == [meaning]
    story.sign("ada")
    assert _said(story.files, "ada").role is Role.DEVELOPER


@given(parsers.parse("a release policy that requires {rules}"))
def _(asked: Required, rules: str) -> None:
    asked.policy = _rules(rules)


@given(parsers.parse("a trust file that requires {rules}"))
def _(asked: Required, rules: str) -> None:
    asked.trust = _rules(rules)


@when(parsers.parse("the signatures of the release are {rules}"))
def _(asked: Required, rules: str) -> None:
    asked.signed = _rules(rules)


@then(parsers.parse('both verifiers miss "{words}"'))
def _(asked: Required, words: str) -> None:
    assert rules_of_both.product(asked.policy, asked.trust, asked.signed) == words
    assert rules_of_both.script(asked.policy, asked.trust, asked.signed) == words


# --- interrupted, and after signing


@given("Rosa's signature is in the log, and the pack does not have it")
def _(story: Story) -> None:
    before = story.pack.read_bytes()
    story.sign("rosa")
    story.recorded = story.files["signatures/rosa.dsse.json"]
    story.pack.write_bytes(before)


@when("Rosa signs again")
def _(story: Story) -> None:
    story.sign("rosa")


@then("the pack has the recorded signature, and the log has one signature of hers")
def _(story: Story) -> None:
    assert story.files["signatures/rosa.dsse.json"] == story.recorded
    assert story.signatures_of("rosa") == 1
    story.sign("max")
    failure = verify_pack(story.pack).first_failure
    assert failure is None, failure


@when("Rosa signs, and the pack was changed after it was verified for her")
def _(story: Story) -> None:
    with story.services() as services:
        asked = signing.examine(services, "rosa", story.pack)
        story.rewrite(bag)
        with pytest.raises(RefusedError) as caught:
            signing.sign(services, story.project.signers["rosa"], asked)
    story.error = caught.value


@then("the log has no entry of a signature of hers")
def _(story: Story) -> None:
    assert story.signatures_of("rosa") == 0


@given("a release that is built, and a witness that must vouch for the log", target_fixture="witness")
def _(story: Story, tmp_path: Path) -> Iterator[Witnessed]:
    """The project names the witness in its file; the pack of before is built again."""
    folder = tmp_path / "witness"
    folder.mkdir()
    write_state(folder, WitnessState(name=WITNESS))
    with story.services() as services:
        serve_log(folder, proofs.verifier_key_of(services))
    running = witnessed.Running(folder)
    key = verifier_key(WITNESS, witnessed.WITNESS_SIGNER.public, COSIGNATURE_KEY).text()
    witness = Witnessed(key, f"http://127.0.0.1:{running.server.server_port}")
    story.pack.unlink()
    with witness.services(story, witness.url) as services:
        build.build(services, story.project.signers["max"])
    yield witness
    running.stop()


@when("Rosa signs, and the witness does not answer")
def _(story: Story, witness: Witnessed) -> None:
    with witness.services(story, "http://127.0.0.1:9") as services:
        asked = signing.examine(services, "rosa", story.pack)
        with pytest.raises(CouldNotCheckError) as caught:
            signing.sign(services, story.project.signers["rosa"], asked)
    story.error = caught.value
    assert not any(name.startswith("signatures/") for name in story.files)


@then("when the witness answers, signing again gives the proof with its cosignature and no second entry")
def _(story: Story, witness: Witnessed) -> None:
    with witness.services(story, witness.url) as services:
        signing.sign(services, story.project.signers["rosa"], signing.examine(services, "rosa", story.pack))
        trust = parse_trust(accounts.trusted_keys(services))
        assert trust.asks_for_witnesses
        asked = signing.examine(services, "max", story.pack)  # judges the proof by the quorum
        assert [one.value for one in asked.meanings] == ["approval"]
    proof = story.files["signatures/rosa.tlog-proof"].decode("utf-8")
    assert f"— {WITNESS} " in proof
    assert story.signatures_of("rosa") == 1


@dataclass(frozen=True)
class Witnessed:
    """A witness that a project requires."""

    key: str
    url: str

    def services(self, story: Story, url: str) -> Services:
        """The services of the project, with the witness at an address."""
        policy = WitnessPolicy(quorum=1, witnesses=(WitnessAddress(key=self.key, url=url),))
        services = story.services()
        return replace(services, project=services.project.model_copy(update={"witnesses": policy}))


@given("Rosa and Max have signed the pack")
def _(story: Story) -> None:
    for who in ("rosa", "max"):
        story.sign(who)
    failure = verify_pack(story.pack).first_failure
    assert failure is None, failure


@when("the proof of Rosa's signature is removed")
def _(story: Story) -> None:
    story.rewrite(partial(_without, name="signatures/rosa.tlog-proof"))


@when("Rosa's signature is removed and its proof is left")
def _(story: Story) -> None:
    story.rewrite(partial(_without, name="signatures/rosa.dsse.json"))


@when("the proof is one of Rosa's entry in a fork")
def _(story: Story) -> None:
    def sign_there(services: Services, pack: Path) -> None:
        signing.sign(services, story.unsigned.signers["rosa"], signing.examine(services, "rosa", pack))

    pack = _build_in_a_fork(story, sign_there)
    forked = read_archive(pack.read_bytes())["signatures/rosa.tlog-proof"]
    story.rewrite(lambda files: {**files, "signatures/rosa.tlog-proof": forked})


@when("the proofs of Rosa and Max are exchanged")
def _(story: Story) -> None:
    one, other = "signatures/rosa.tlog-proof", "signatures/max.tlog-proof"
    story.rewrite(lambda files: {**files, one: files[other], other: files[one]})


@when("the list of signatures is removed")
def _(story: Story) -> None:
    story.rewrite(partial(_without, name=SIGNATURE_LIST))


@when("the list of signatures names another meaning")
def _(story: Story) -> None:
    story.rewrite(lambda files: _changed(files, SIGNATURE_LIST, b"approval", b"review"))


@then(parsers.parse('both verifiers name "{name}"'))
def _(story: Story, name: str) -> None:
    failure = verify_pack(story.pack).first_failure
    assert failure is not None
    assert failure.name == "release signatures"
    assert name in failure.detail
    script = templates_folder() / "verify" / "verify.py"
    told = subprocess.run([sys.executable, str(script), str(story.pack)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert name in next(line for line in told.stdout.splitlines() if line.startswith("FAIL"))
