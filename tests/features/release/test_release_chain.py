"""Steps of features/release_chain.feature."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.release.chain import check_chain, propose_chain
from minivess.compliance.release.earlier_entries import refer
from minivess.compliance.release.layout import PayloadManifest
from minivess.compliance.verification.pack import judge_files
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.records.device.preparation import ReleaseChain
from minivess.records.log.entry import Outcome
from minivess.records.references import ROLES
from tests.support.builders.continued_logs import (
    OTHER,
    again,
    calibrate_again,
    export_another,
    forget_runs,
    ingest_others,
    look_again,
    train_another,
)
from tests.support.builders.layout2_pack import SmallPack, small_pack
from tests.support.builders.release_builder import VERSION, Release, ReleaseLog
from tests.support.verify_script import verify as script

scenarios("release_chain.feature")


@dataclass
class Story:
    folder: Path
    release: Release
    pack: SmallPack | None = None
    chain: ReleaseChain | None = None
    error: MinivessError | None = None
    failures: tuple[tuple[str, str], ...] = ()

    @property
    def log(self) -> ReleaseLog:
        return self.release.log

    @property
    def out(self) -> Path:
        return self.folder / "pack.zip"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A release whose log is at the test's disposal; its files are shared and not changed."""
    shared = small_pack().release
    return Story(tmp_path, replace(shared, log=shared.log.copy(), prepared=None))


BENT: dict[str, Callable[[ReleaseLog], object]] = {
    "another model was exported after the evaluation": export_another,
    "the ensemble was calibrated again after the export": calibrate_again,
    "other cases were ingested after the split": ingest_others,
    "a training run was neither used nor given a disposition": train_another,
    "the ensemble does not name the runs of its members": forget_runs,
    "the same cases were ingested and validated again": lambda log: (
        again(log, "data.ingest"),
        again(log, "data.validate"),
    ),
}


@given("a log with everything that a release needs")
def _(story: Story) -> None:
    assert story.log.reference("evaluation")


@given("a log without scenarios")
def _(story: Story) -> None:
    index = story.log.reference("scenarios")["index"]
    del story.log.entries[index:], story.log.details[index:]


@given(parsers.parse("a log in which {what}"))
def _(story: Story, what: str) -> None:
    if what == "the device has another version than the request":
        story.release.version = "1.1.0"
    else:
        BENT[what](story.log)


@when("the entries of the release are searched")
def _(story: Story) -> None:
    try:
        story.chain = propose_chain(story.log.entries, VERSION)
    except RefusedError as error:
        story.error = error


@when("the release is built")
def _(story: Story) -> None:
    try:
        story.release.build(story.out)
    except MinivessError as error:
        story.error = error


def lie(pack: SmallPack, what: str) -> SmallPack:
    """The pack with a preparation that does not fit its log."""
    log, model, device = pack.before(), None, {}
    chain = json.loads(json.dumps(pack.log.entries[-1].body.payload["chain"]))
    if what == "names the model of a later export":
        chain["export"] = refer(export_another(log)).model_dump(mode="json")
        model = OTHER
    elif what == "is of another version of the device":
        device = {"version": "2.0"}
    elif what == "rests on a superseded calibration":
        calibrate_again(log)
    elif what == "leaves out a training run":
        del chain["runs"][1]
    elif what == "gives a run the disposition of another run":
        chain["runs"][3]["disposition"] = chain["runs"][2]["disposition"]
    elif what == "leaves out a look":
        look_again(log)
    else:
        assert what == "leaves out the newest drill"
        again(log, "risk.drill")
    return pack.bent(log=log, model=model, say=lambda said: said | {"chain": chain, "device": said["device"] | device})


CHANGED: dict[str, dict[str, bytes | None]] = {
    "the model is missing": {"data/models/model.onnx": None},
    "the results are missing": {"data/verification/results.json": None},
    "a document is missing": {"data/documents/soup.html": None},
    "the run of a member is missing": {"data/models/members/seed-1.json": None},
    "a file was added": {"data/documents/other.html": b"<!doctype html><title>Other</title>"},
    "the calibration is another one": {"data/models/calibration.json": b"{}"},
}


@given(parsers.parse("a pack whose preparation {what}"))
def _(story: Story, what: str) -> None:
    story.pack = lie(small_pack(), what)


@given(parsers.parse("a pack in which {what}"))
def _(story: Story, what: str) -> None:
    if what == "a document was changed after the preparation":
        page = small_pack().files["data/documents/soup.html"] + b"<p>More.</p>"
        story.pack = small_pack().bent({"data/documents/soup.html": page}, prepared=False)
    else:
        story.pack = small_pack().bent(CHANGED[what])


@when("two people sign it and both verifiers judge it")
def _(story: Story) -> None:
    assert story.pack is not None
    files = story.pack.signed()
    verdict = judge_files(files, subject="pack", container="", trusted=None)
    product = next((check.name, check.detail) for check in verdict.checks if not check.passed)
    second = next((name, words) for name, held, words in script.Judgement(None).judge(files).checks if not held)
    story.failures = (product, second)


@then("they are the newest of each step, with every training run and every look")
def _(story: Story) -> None:
    chain = story.chain
    assert chain is not None
    found = {role: reference.index for role, reference in chain.references() if role not in {"run", "disposition"}}
    assert found == {role: story.log.reference(ROLES[role])["index"] for role in found}
    assert set(found) == set(ROLES) - {"run", "disposition", "qualification"}
    ended = [one.body.index for one in story.log.entries if one.body.action == "training"]
    ended = [index for index in ended if story.log.entries[index].body.outcome is not Outcome.STARTED]
    assert [one.run.index for one in chain.runs] == ended
    assert [one.disposition is None for one in chain.runs] == [True, True, False, False]
    assert len(chain.looks) == 1


@then("each names by reference those it rests on")
def _(story: Story) -> None:
    assert story.chain is not None
    judged = check_chain(story.log.entries, story.chain, VERSION, None)
    for reader, makers in {
        "evaluation": ("export", "request", "approval"),
        "approval": ("request",),
        "request": ("criteria", "policy", "export", "calibration", "seal"),
        "export": ("calibration", "ensemble"),
    }.items():
        named = {one.name for one in judged.bodies[reader].inputs}
        assert {f"log/{judged.bodies[maker].index}" for maker in makers} <= named


@then(parsers.parse('it is refused because "{words}", with the hint "{hint}"'))
def _(story: Story, words: str, hint: str) -> None:
    assert story.error is not None
    assert words in story.error.message
    assert story.error.hint == hint


@then(parsers.parse('it is refused because "{words}"'))
def _(story: Story, words: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    assert re.search(words, story.error.message)


@then("no pack was written")
def _(story: Story) -> None:
    assert not story.out.exists()


@then("a pack was written")
def _(story: Story) -> None:
    assert story.error is None
    assert story.out.is_file()


@then(parsers.parse('both name the check "{name}" because "{words}"'))
def _(story: Story, name: str, words: str) -> None:
    for failed, detail in story.failures:
        assert failed == name
        assert re.search(words.replace(" or ", "|"), detail), detail


@then("the last entry of the pack's log prepares the release and binds every file outside the log")
def _(story: Story) -> None:
    files = read_archive(story.out.read_bytes())
    body = json.loads(files["data/audit/entries.jsonl"].splitlines()[-1])["body"]
    assert (body["action"], body["outcome"]) == ("release.prepare", "completed")
    manifest = PayloadManifest.of(files)
    assert (body["payload"]["manifest"], body["payload"]["files"]) == (manifest.digest, manifest.files)
    named = {line.split("  ", 1)[1] for line in manifest.text.decode().splitlines()}
    rest = {name for name in files if name.startswith("data/") and name.removeprefix("data/") not in named}
    assert all(name.startswith(("data/audit/", "data/lineage/")) for name in rest)
    assert "data/lineage/events.jsonl" in rest


@then("the pages of the pack are those of the log before this entry")
def _(story: Story) -> None:
    files = read_archive(story.out.read_bytes())
    count = len(files["data/audit/entries.jsonl"].splitlines())
    page = files["data/index.html"].decode("utf-8")
    assert f"{count - 1} entries" in page
    assert f"{count} entries" not in page
