"""Steps of reads.feature: every command of docs/reference/commands.md, run without a passphrase."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_bdd import given, scenarios, then, when

from minivess.cli.main import app
from minivess.compliance.audit.log import AuditLog
from minivess.compliance.identity.keys import generate
from minivess.compliance.proofs.cosignature import LOG, verifier_key
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.foundation.settings import load_settings
from minivess.records.device.witnesses import WitnessState
from minivess.records.log.entry import Entry, Outcome
from minivess.records.people.identity import KeyAlgorithm
from minivess.serving.witness.app import write_state
from minivess.workflows.data import ingestion, sealing, splitting, validation
from tests.support import projects
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.projects import ProjectFolder

scenarios("reads.feature")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "commands.md"
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
NOT_RUN = {"demo"}
"""Takes minutes; test_demo.py runs it, without any passphrase in the environment."""
NO_PACK = {
    "release verify PACK",
    "release diff OLD NEW",
    "release export --for fda PACK OUT",
    "release pccp-check OLD NEW",
    "release reproduce PACK --data .",
}
NO_POLICY = {"release check"}
"""Is given a file that is no pack, and says so."""
NO_LOOK = {"model compare A B"}
"""Is given an evaluation that the log does not have, and says so."""
NO_MODEL, NO_ENSEMBLE = {"model robustness"}, {"model explain mouse-04"}
"""Needs an exported model or an ensemble, and says so."""
NO_TRAINING = {"train --watch"}
"""Needs a training to follow, and says so."""
JUNIT = '<testsuite><testcase classname="t" name="test_sum REQ-001" time="0.1"/></testsuite>'


def listed() -> tuple[list[str], list[str]]:
    """The commands of the page as they are typed: those without a passphrase, those with one."""
    without, _, with_one = PAGE.read_text(encoding="utf-8").partition("## Commands that need passphrases")
    return ROW.findall(without), ROW.findall(with_one.partition("## Options")[0])


def names(group: click.Group, *above: str) -> Iterator[str]:
    """The names of all commands."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from names(found, *above, name)
        else:
            yield " ".join((*above, name))


def name_of(typed: str, known: set[str]) -> str:
    """The name of the command in what is typed."""
    words = typed.split()
    return next(name for count in (3, 2, 1) if (name := " ".join(words[:count])) in known)


@dataclass
class Reads:
    project: ProjectFolder
    folder: Path
    before: tuple[str, int] = ("", 0)
    changed: list[str] = field(default_factory=list)
    """Commands after which the log was not as before."""
    results: dict[str, Result] = field(default_factory=dict)
    refusal: RefusedError | None = None

    def state(self) -> tuple[str, int]:
        """The newest checkpoint, and how many lineage events wait."""
        with closing(self.log()) as log:
            return log.checkpoint(), len(log.pending_events())

    def log(self) -> AuditLog:
        return AuditLog.open(load_settings(self.project.workspace.root).database_url, log_signer=None)

    def entries(self) -> list[Entry]:
        with closing(self.log()) as log:
            return list(log.entries())

    def say(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["-C", str(self.project.workspace.root), *words])

    def run(self, typed: str) -> None:
        """Run a command of the page; words in capitals are files of this project."""
        places = {
            "FIRST": "first", "SECOND": "second", "TRUST": "trust.json", "PACK": "pack.zip", "ITEMS": "items.csv",
            "OLD": "pack.zip", "NEW": "pack.zip",
            "JUNIT": "junit.xml", "WITNESS": "witness", "PROPOSAL": "proposal.json", "RESPONSE": "pack.zip",
            "ROOTS": "pack.zip", "KEYS": "keys", "RULES": "rules.json", "A": "a.json", "B": "a.json",
            "COPY": "copy", "IN": "witness", "OSV": "osv", "KEY": "key",
        }  # fmt: skip
        given = {word: str(self.folder / name) for word, name in places.items()}
        given |= {
            "OUT": str(self.folder / f"out-{len(self.results)}"),
            "VKEY": self.vkey,
            "NEWKEY": verifier_key("new", generate(KeyAlgorithm.ED25519).public, LOG).text(),
            "ORIGIN": self.vkey.partition("+")[0],
            "DIGEST": f"sha256:{'0' * 64}",
        }
        words = [re.sub(r"\A[A-Z]+", lambda found: given.get(found[0], found[0]), word) for word in shlex.split(typed)]
        before = self.state()
        self.results[typed] = self.say(*words)
        if self.state() != before:
            self.changed.append(typed)

    @property
    def vkey(self) -> str:
        return (self.folder / "vkey").read_text(encoding="utf-8").strip()


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reads:
    """A project with its own source tree under git, cases that can be split, and the files that commands read."""
    for name in (
        "MINIVESS_ACTOR",
        "MINIVESS_PROJECT",
        *(f"MINIVESS_PASSPHRASE_{who}" for who in ("LOG", "ADA", "MAX")),
    ):
        monkeypatch.delenv(name, raising=False)
    tree = projects.write_tiny_tree(tmp_path / "source")
    for words in ("init -q", "add .", "-c user.name=t -c user.email=t@example.org commit -q -m tree"):
        subprocess.run(["git", *words.split()], cwd=tree, check=True)
    return Reads(projects.start(tmp_path / "project", source=tree), tmp_path)


@given("a project with cases, a log and no passphrase in the environment", target_fixture="reads")
def _(reads: Reads) -> Reads:
    with reads.project.services() as services:
        ingestion.ingest(services, reads.project.signers["ada"])
    return reads


@given("a project whose validation blocks", target_fixture="reads")
def _(reads: Reads) -> Reads:
    with reads.project.services() as services:
        ingestion.ingest(services, reads.project.signers["ada"])
    path = reads.project.workspace.project_file
    rule = "\n  rules: {case-unlisted: {severity: block}}\nsplit:"
    path.write_text(path.read_text(encoding="utf-8").replace("\nsplit:", rule, 1), encoding="utf-8")
    stray = reads.project.workspace.prepared / "stray"
    stray.mkdir()
    (stray / "case.json").write_text("{}", encoding="utf-8")
    assert reads.say("data", "validate").exit_code == 1
    return reads


def files_for(reads: Reads) -> None:
    """Write the files that commands of the page are given."""
    for words in (
        ("audit", "checkpoint", "--out", "first"), ("audit", "checkpoint", "--out", "second"),
        ("audit", "checkpoint", "--vkey", "--out", "vkey"), ("audit", "trust", "trust.json"),
        ("identity", "roots", "propose", "max", "--threshold", "1", "--out", "proposal.json"),
        ("trace", "export", "items.csv"),
    ):  # fmt: skip
        done = reads.say(*words[:-1], str(reads.folder / words[-1]))
        assert done.exit_code == 0, done.output
    (reads.folder / "junit.xml").write_text(JUNIT, encoding="utf-8")
    rules = {"number": 2, "digest": f"sha256:{'0' * 64}"}
    (reads.folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    (reads.folder / "witness").mkdir()
    (reads.folder / "keys" / "keystore").mkdir(parents=True)
    write_state(reads.folder / "witness", WitnessState(name="witness.example"))
    (reads.folder / "pack.zip").write_bytes(b"PK")
    (reads.folder / "copy.db").write_bytes(b"")
    (reads.folder / "osv.json").write_text('{"id": "GHSA-a", "modified": "2026-01-01T00:00:00Z"}', encoding="utf-8")
    closed = serialization.BestAvailableEncryption(b"a passphrase")
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed
    (reads.folder / "key.pem").write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(*pem))
    digest = f"sha256:{'0' * 64}"
    made = counted_evaluation([counted_case("a")], analysis_plan(), model=digest, data=digest, request="r", looks=1)
    (reads.folder / "a.json").write_text(made.model_dump_json(), encoding="utf-8")


@when("every command that is listed without a passphrase is run with stdin closed")
def _(reads: Reads) -> None:
    files_for(reads)
    with reads.project.services() as services:
        validation.validate(services, reads.project.signers["ada"])
    typed_ones = [typed for typed in listed()[0] if typed not in NOT_RUN]
    sealed = [typed for typed in typed_ones if not typed.startswith("data ")]
    for typed in typed_ones:
        if typed not in sealed:
            reads.run(typed)
    with reads.project.services() as services:
        splitting.split(services, reads.project.signers["ada"])
        sealing.seal(services, reads.project.signers["ada"])
    for typed in sealed:
        reads.run(typed)


@when("every command that is listed with a passphrase is run with stdin closed")
def _(reads: Reads) -> None:
    files_for(reads)
    for typed in listed()[1]:
        reads.run(typed)


@then("docs/reference/commands.md lists every command once")
def _() -> None:
    known = set(names(app))
    without, with_one = ({name_of(typed, known) for typed in typed_ones} for typed_ones in listed())
    assert without | with_one == known
    # without names, or with an option, they only read
    assert without & with_one == {"data split", "qualify", "trace approve", "trace review", "train"}


@then("each of them works")
def _(reads: Reads) -> None:
    failed = {
        typed: f"{result.output}{result.exception}"
        for typed, result in reads.results.items()
        if result.exit_code not in {0, 1} or isinstance(result.exception, MinivessError)
    }
    assert {typed for typed, words in failed.items() if "not a zip archive" in words} == NO_PACK
    assert {typed for typed, words in failed.items() if "there is no release/policy.yaml" in words} == NO_POLICY
    assert {typed for typed, words in failed.items() if "no evaluation of the log" in words} == NO_LOOK
    assert {typed for typed, words in failed.items() if "no completed model.export" in words} == NO_MODEL
    assert {typed for typed, words in failed.items() if "no completed ensemble" in words} == NO_ENSEMBLE
    assert {typed for typed, words in failed.items() if "no training has begun" in words} == NO_TRAINING
    refusing = NO_PACK | NO_POLICY | NO_LOOK | NO_MODEL | NO_ENSEMBLE | NO_TRAINING
    assert {typed: words for typed, words in failed.items() if typed not in refusing} == {}
    assert len(reads.results) > 30


@then("each is refused because a passphrase is needed")
def _(reads: Reads) -> None:
    asked = {typed: str(result.exception) for typed, result in reads.results.items()}
    others = {typed: words for typed, words in asked.items() if "passphrase" not in words}
    assert [typed.split()[:2] for typed in others] == [["release", "sign"]]  # which asks at a terminal alone
    assert all("signed at a terminal" in words for words in others.values())
    assert len(asked) > 30


@then("the log and its lineage events are as they were")
def _(reads: Reads) -> None:
    assert reads.changed == []


@when("the cases are validated without a passphrase")
def _(reads: Reads) -> None:
    reads.before = reads.state()
    reads.results["validate"] = reads.say("data", "validate")


@then("the report is there, and a line says that it is not in the log yet")
def _(reads: Reads) -> None:
    result = reads.results["validate"]
    assert result.exit_code == 0, result.output
    assert (reads.project.workspace.data / "validation.json").is_file()
    assert "not recorded in the log yet" in result.stderr
    assert reads.state() == reads.before


@when("the findings are taken out of data/validation.json")
def _(reads: Reads) -> None:
    path = reads.project.workspace.data / "validation.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["findings"]
    path.write_text(json.dumps(report | {"findings": []}), encoding="utf-8")


@when("the developer splits the cases")
def _(reads: Reads) -> None:
    with reads.project.services() as services:
        try:
            splitting.split(services, reads.project.signers["ada"])
        except RefusedError as error:
            reads.refusal = error


def _validation(reads: Reads) -> int:
    """Place of the entry that names the report as it is."""
    digest = digest_file(reads.project.workspace.data / "validation.json")
    for place, entry in enumerate(reads.entries()):
        body = entry.body
        if body.action == "data.validate" and body.outcome is Outcome.COMPLETED:
            assert digest in {output.digest for output in body.outputs}
            return place
    raise AssertionError("the validation is not in the log")


@then("the log has the validation with the digest of the report, and after it the split")
def _(reads: Reads) -> None:
    assert reads.refusal is None
    after = [entry.body.action for entry in reads.entries()[_validation(reads) :]]
    assert after == ["data.validate", "data.split", "data.split"]


@then("the split is refused because validation blocks these cases")
def _(reads: Reads) -> None:
    assert "validation blocks these cases" in str(reads.refusal)


@then("the log has the validation with the digest of the report")
def _(reads: Reads) -> None:
    assert _validation(reads) > 0
