"""Packing: whole or not at all, nothing unrecorded, signatures once a person."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.identity.signer import Signer
from minivess.compliance.pack.pack import BuiltPack, add_signatures, build_pack, prepare_pack
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.rules.log_facts import read_log
from minivess.compliance.verification.pack import verify_pack
from minivess.foundation.errors import CouldNotCheckError, InputError, RefusedError, VerificationError
from minivess.records.people.roles import IdentityKind, Role
from minivess.records.verdict import VerdictState
from tests.support.builders import logged_signatures
from tests.support.builders import pack_builder as logs
from tests.support.builders.release_builder import VERSION, Release, ReleaseLog, make_release, policy_of_release

pytestmark = pytest.mark.verifies("SU-22")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return make_release(tmp_path / "release")


def _log_of(built: BuiltPack, release: Release) -> ReleaseLog:
    """The log that goes on after the pack, with the entry of its build."""
    assert release.prepared is not None
    log = release.prepared.copy()
    model = str(log.entries[-1].body.context.model)
    logged_signatures.record_build(
        log, read_archive(built.path.read_bytes()), logs.cleo(), version=VERSION, model=model
    )
    return log


def _sign(built: BuiltPack, log: ReleaseLog, who: Signer) -> None:
    logged_signatures.sign_zip(built.path, log, (who,), version=VERSION, policy=policy_of_release().signatures)


@pytest.mark.verifies("REQ-036", "REQ-037", "REQ-038", "RC-08")
def test_a_pack_signed_with_keystore_keys_holds_after_the_second_signature(tmp_path: Path) -> None:
    release = make_release(tmp_path / "release")
    keystore = Keystore(tmp_path / "keystore")
    people = []
    for name, role in (("rita", Role.REVIEWER), ("mona", Role.RELEASE_MANAGER)):
        keystore.create(name, name.title(), IdentityKind.PERSON, (role,), "correct horse battery staple")
        people.append(keystore.unlock(name, "correct horse battery staple"))
        release.log.enrol(logs.cleo(), people[-1])
    built = release.build(tmp_path / "pack.zip")
    first = verify_pack(built.path).first_failure
    assert first is not None
    assert first.name == "release signatures"
    log = _log_of(built, release)
    _sign(built, log, people[0])
    assert verify_pack(built.path).first_failure is not None
    _sign(built, log, people[1])
    assert release.prepared is not None
    line = logs.ben().cosign(release.prepared.checkpoint, 1_800_000_000)
    add_signatures(built.path, {"signatures/ben.cosignature": line.encode("utf-8")})
    verdict = verify_pack(built.path)
    assert verdict.state is VerdictState.VERIFIED, verdict.first_failure


@pytest.mark.verifies("REQ-037", "RC-08")
def test_nobody_signs_twice(release: Release, tmp_path: Path) -> None:
    built = release.build(tmp_path / "pack.zip")
    log = _log_of(built, release)
    _sign(built, log, logs.ben())
    signed = {"signatures/ben.dsse.json": read_archive(built.path.read_bytes())["signatures/ben.dsse.json"]}
    before = built.path.read_bytes()
    with pytest.raises(RefusedError, match="ben\\.dsse\\.json already"):
        add_signatures(built.path, signed)
    assert built.path.read_bytes() == before


def test_something_else_than_a_pack_is_not_signed(release: Release, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"hello")
    with pytest.raises(InputError):
        add_signatures(tmp_path / "no.zip", {"signatures/ben.dsse.json": b"{}"})


@pytest.mark.verifies("REQ-040")
def test_the_pack_says_nothing_about_the_machine_or_its_folders(release: Release, tmp_path: Path) -> None:
    built = release.build(tmp_path / "a" / "pack.zip")
    assert str(tmp_path).encode() not in built.path.read_bytes()


@pytest.mark.verifies("REQ-398")
def test_the_report_with_pictures_of_test_cases_is_bound_by_its_entry_and_not_in_the_pack(
    release: Release, tmp_path: Path
) -> None:
    (entry,) = [one for one in release.log.entries if one.body.action == "evaluation"]
    assert "evaluation/report.html" in {one.name for one in entry.body.outputs}
    assert (release.workspace.evaluation / "report.html").is_file()
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    assert "data/evaluation/evaluation.json" in files
    assert not [name for name in files if name.endswith("report.html") and "evaluation" in name]


@pytest.mark.verifies("REQ-040")
def test_releases_in_other_folders_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_release(tmp_path / name) for name in ("one", "two-with-another-name"))
    # signatures of people are randomised, so both are built from one log
    second.log = first.log
    packs = [first.build(tmp_path / "0.zip").path.read_bytes()]
    second.prepared = first.prepared
    packs.append(second.build(tmp_path / "1.zip").path.read_bytes())
    assert packs[0] == packs[1]


@pytest.mark.verifies("REQ-036", "REQ-228", "RC-06", "RC-97")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("models/model.onnx", "data/models/model.onnx is sha256:[0-9a-f]{64}, the export of entry [0-9]+ made sha256:"),
        ("data/split.json", "data/datasets/split.json is sha256:[0-9a-f]{64}, the split of entry [0-9]+ made sha256:"),
        (
            "models/members/seed-0/run.json",
            "data/models/members/seed-0.json is .*, the run of entry [0-9]+ made sha256:",
        ),
        (
            "evidence/evaluation/figures/measures.svg",
            "data/evaluation/figures/measures.svg is .*, the evaluation of entry",
        ),
        (
            "evidence/evaluation/figures/added.png",
            "data/evaluation/figures/added.png is .*, and no entry of the release made evaluation/figures/added.png",
        ),
    ],
)
def test_what_its_entry_did_not_make_is_named_and_refused(
    release: Release, tmp_path: Path, name: str, words: str
) -> None:
    path = release.workspace.root / name
    known = path if path.is_file() else release.workspace.root / "models/members/seed-0/run.json"
    path.write_bytes(known.read_bytes().replace(b"39.5", b"39.6") + b"\n")
    with pytest.raises(RefusedError, match=words):
        release.build(tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


@pytest.mark.verifies("REQ-036", "REQ-226")
def test_runs_that_are_no_members_are_not_in_the_pack(release: Release, tmp_path: Path) -> None:
    assert (release.workspace.root / "models/members/seed-9/run.json").is_file()
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    members = [name for name in files if name.startswith("data/models/members/")]
    assert members == ["data/models/members/seed-0.json", "data/models/members/seed-1.json"]


@pytest.mark.verifies("REQ-036")
@pytest.mark.parametrize("name", ["models/export.json", "models/ensemble.json", "evidence/verification/results.json"])
def test_what_is_missing_is_named(release: Release, tmp_path: Path, name: str) -> None:
    (release.workspace.root / name).unlink()
    with pytest.raises(RefusedError, match=name.rsplit("/", 1)[-1]):
        release.build(tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_an_entry_without_its_lineage_event_is_named(release: Release, tmp_path: Path) -> None:
    ready = prepare_pack(release.inputs())
    log = release.prepare(ready)
    lines = log.events().splitlines(keepends=True)
    for left, index in ((lines[1:], 3), (lines[:-1], log.facts.size - 1)):
        with pytest.raises(RefusedError, match=f"entry {index} "):
            build_pack(ready, log.facts, b"".join(left), tmp_path / "pack.zip")
    with pytest.raises(InputError, match=r"lineage/events.jsonl:1: is not an OpenLineage event"):
        build_pack(ready, log.facts, b"{}\n", tmp_path / "pack.zip")
    twice = build_pack(
        ready,
        log.facts,
        b"".join([*lines, *lines, b'{"run":{"runId":"x"},"eventType":"START"}\n']),
        tmp_path / "pack.zip",
    )
    assert read_archive(twice.path.read_bytes())["data/lineage/events.jsonl"] == b"".join(lines)


@pytest.mark.verifies("REQ-229")
def test_a_log_that_grew_while_the_pack_was_made_is_refused(release: Release, tmp_path: Path) -> None:
    ready = prepare_pack(release.inputs())
    log = release.prepare(ready).copy()
    log.refuse(logs.cleo(), "release.build")
    with pytest.raises(RefusedError, match="the log grew while the pack was made"):
        build_pack(ready, log.facts, log.events(), tmp_path / "pack.zip")
    release.log.refuse(logs.cleo(), "release.build")
    with pytest.raises(RefusedError, match="the log grew while the pack was made"):
        build_pack(ready, release.prepare(ready).facts, log.events(), tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


@pytest.mark.verifies("REQ-035", "RC-11")
def test_a_gate_left_out_or_failing_stops_the_build(release: Release, tmp_path: Path) -> None:
    inputs = release.inputs()
    with pytest.raises(RefusedError, match="not every gate"):
        release.build(tmp_path / "pack.zip", gates=inputs.gates[1:])
    release.facts = release.facts.model_copy(update={"openings": 2})
    with pytest.raises(RefusedError, match="'test-set' fails: Looks at the sealed test set: 2 looks, required: ≤ 1"):
        release.build(tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


@pytest.mark.verifies("REQ-002", "RC-06")
def test_a_checkpoint_of_other_entries_is_refused(release: Release) -> None:
    lines = tuple(release.log.lines)
    checkpoint = release.log.checkpoint
    read_log(lines, checkpoint)
    for wrong in (lines[:-1], (*lines, lines[-1]), (), (lines[0], *lines[2:], lines[-1]), (b"{}", *lines[1:])):
        with pytest.raises(VerificationError):
            read_log(wrong, checkpoint)


def test_a_place_that_cannot_be_written_to_leaves_nothing(release: Release, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CouldNotCheckError):
        release.build(tmp_path / "file" / "pack.zip")


@pytest.mark.verifies("REQ-036")
def test_the_crate_names_each_file_and_the_actions_that_made_them(release: Release, tmp_path: Path) -> None:
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    graph = {item["@id"]: item for item in json.loads(files["data/ro-crate-metadata.json"])["@graph"]}
    data = {name.removeprefix("data/") for name in files if name.startswith("data/")} - {"ro-crate-metadata.json"}
    data = {name for name in data if not name.startswith(("audit/", "lineage/"))} | {"audit/", "lineage/"}
    assert {part["@id"] for part in graph["./"]["hasPart"]} == data
    assert data <= set(graph)
    references = json.dumps(list(graph.values()))
    actions = [item for item in graph.values() if item["@type"] == "CreateAction"]
    assert {"@id": "models/model.onnx"} in [result for action in actions for result in action["result"]]
    assert all(action["agent"]["@id"] in graph and action["instrument"]["@id"] in graph for action in actions)
    assert "MiniVess" in references


@pytest.mark.verifies("REQ-036")
def test_junit_and_cases_are_readable_by_other_tools(release: Release, tmp_path: Path) -> None:
    files = read_archive(release.build(tmp_path / "pack.zip").path.read_bytes())
    suite = ET.fromstring(files["data/traceability/junit.xml"])  # noqa: S314  our own bytes
    assert suite.attrib["tests"] == "1"
    assert [item.attrib["value"] for item in suite.iter("property")] == ["REQ-001", "RC-01"]
    lines = files["data/release/cases.csv"].decode().splitlines()
    assert len(lines) == 4
    assert lines[2].split(",")[5] == ""
