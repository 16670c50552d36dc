"""Steps of features/release_difference.feature."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.documents.dossier import gather
from minivess.compliance.pack.changes import CHANGES
from minivess.compliance.pack.pack import payload
from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.verification.bag import TAG_MANIFEST
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.foundation.paths import Workspace
from minivess.records.changes.difference import ReleaseDifference
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.workflows.release.changes.previous import previous_pack
from tests.support.builders.second_release import LATER, TwoReleases, two_releases
from tests.support.command_line import Finished, run_here

scenarios("release_difference.feature")

EVALUATION = "data/evaluation/evaluation.json"


@dataclass
class Story:
    folder: Path
    releases: TwoReleases
    files: list[dict[str, bytes]]
    told: Finished | None = None
    page: str = ""
    given: Path | None = None
    found: object = None
    refusal: RefusedError | None = None
    made: list[str] = field(default_factory=list)

    def diff(self, *options: str) -> Finished:
        for name, files in zip(("old.zip", "new.zip"), self.files, strict=True):
            (self.folder / name).write_bytes(write_archive(files))
        return run_here("release", "diff", "old.zip", "new.zip", *options, folder=self.folder)

    @property
    def out(self) -> str:
        assert self.told is not None
        assert self.told.code == 0, self.told.err
        return self.told.out


@pytest.fixture
def story(tmp_path: Path) -> Story:
    releases = two_releases()
    return Story(tmp_path, releases, [dict(releases.first), dict(releases.second.files)])


@given("two releases of one device in one log")
def _(story: Story) -> None:
    assert len(story.files) == 2


@given("the first pack has no SOUP list")
def _(story: Story) -> None:
    del story.files[0]["data/bom/soup.csv"]


@given("the second model was evaluated on other sealed cases")
def _(story: Story) -> None:
    record = EvaluationRecord.model_validate_json(story.files[1][EVALUATION])
    other = record.model_copy(update={"data": digest_bytes(b"other")}).model_dump_json().encode("utf-8")
    story.files[1][EVALUATION] = other
    log = story.releases.log.copy()
    index = log.reference("evaluation")["index"]
    body = log.entries[index].body
    outputs = tuple(
        one.model_copy(update={"digest": digest_bytes(other)}) if one.name == "evaluation/evaluation.json" else one
        for one in body.outputs
    )
    log.entries[index] = log.entries[index].model_copy(update={"body": body.model_copy(update={"outputs": outputs})})
    story.files[1]["data/audit/entries.jsonl"] = b"".join(line + b"\n" for line in log.lines)
    story.files[1]["data/audit/checkpoint.txt"] = log.checkpoint.encode("utf-8")


@when("their packs are compared at the command line")
def _(story: Story) -> None:
    story.told = story.diff()


@then("the changed requirement is shown with its text before and now")
def _(story: Story) -> None:
    found = re.search(r"~ REQ-001 Sum\n +Statement: (.*) → (.*)", story.out)
    assert found is not None
    assert "nothing else" in found[1]
    assert "fast" in found[2]


@then("the new model, source tree and results are shown")
def _(story: Story) -> None:
    assert re.search(r"^Device +5 +0 +0 +1$", story.out, re.MULTILINE)
    assert f"version: 1.0.0 → {LATER}".replace("version", "value") in story.out
    assert re.search(r"~ model Exported model\n +graph: sha256:\w+ → sha256:\w+", story.out)
    assert re.search(r"~ source tree Source tree\n +tree: sha256:\w+ → sha256:\w+", story.out)
    assert re.search(r"^Test results +1 +0 +0 +0$", story.out, re.MULTILINE)
    assert re.search(r"^People +3 +0 +0 +0$", story.out, re.MULTILINE)


@then("each pack is named with its digest and with what its verification came to")
def _(story: Story) -> None:
    first, second = (digest_bytes(files[TAG_MANIFEST]) for files in story.files)
    assert re.search(
        rf"^old: vessel-segmenter 1\.0\.0, pack {first}, log .* 28 entries, VERIFIED with the pack's own keys$",
        story.out,
        re.MULTILINE,
    )
    assert re.search(rf"^new: .* {second}, .*, NOT VERIFIED: release signatures$", story.out, re.MULTILINE)


@then("the JSON says the same")
def _(story: Story) -> None:
    found = ReleaseDifference.model_validate_json(story.diff("--json").out)
    changed = {part.name: [one.id for one in part.changes] for part in found.sections if part.changes}
    assert changed["requirements"] == ["REQ-001"]
    assert set(changed) == {"device", "requirements", "gates", "model", "code"}
    assert (found.old.verdict, found.new.verdict) == (
        "VERIFIED with the pack's own keys",
        "NOT VERIFIED: release signatures",
    )


@then("the SOUP list is reported as not compared, with the missing file")
def _(story: Story) -> None:
    assert re.search(r"^SOUP +not compared$", story.out, re.MULTILINE)
    assert "not compared: old pack: data/bom/soup.csv is missing" in story.out
    found = ReleaseDifference.model_validate_json(story.diff("--json").out)
    soup = next(part for part in found.sections if part.name == "soup")
    assert soup.not_compared == "old pack: data/bom/soup.csv is missing"


@then("the output has the paired difference of each measure with its interval and its corrected p")
def _(story: Story) -> None:
    assert "paired, new - old, on the same 3 cases of 3 groups:" in story.out
    for name in ("dice", "cldice", "nsd"):
        assert re.search(rf"^  {name}: \+0\.0100 \(0\.0100 to 0\.0100\), p \(Holm\) 1\.0000$", story.out, re.MULTILINE)
    assert re.search(r"^  hd95 \(µm\): -0\.0600 ", story.out, re.MULTILINE)


@then("the output states that the evaluations are of different data")
def _(story: Story) -> None:
    assert "no paired comparison: the evaluations are of different data: sha256:" in story.out
    assert "p (Holm)" not in story.out


@then("the figures of each release are shown with their own intervals")
def _(story: Story) -> None:
    assert re.search(r"^Dice: 0\.8933 \(.* to .*\) → 0\.9033 \(.* to .*\)$", story.out, re.MULTILINE)


@when("the differences are written as a page")
def _(story: Story) -> None:
    story.told = story.diff("--html", "difference.html")
    story.page = (story.folder / "difference.html").read_text(encoding="utf-8")


@then("the page and the release notes of the second pack show the changed requirement and the paired differences")
def _(story: Story) -> None:
    notes = story.files[1]["data/documents/release-notes.html"].decode("utf-8")
    for text in (story.page, notes):
        assert "Differences from release 1.0.0" in text
        assert re.search(r"<th[^>]*>REQ-001</th>", text)
        assert "on the same 3 cases of 3 independent groups" in text
        assert "</script><b>" not in text


@then("the pack has the differences as data, which name the first pack by its digest")
def _(story: Story) -> None:
    found = ReleaseDifference.model_validate(json.loads(story.files[1][f"data/{CHANGES}"]))
    assert found.old.pack == digest_bytes(story.files[0][TAG_MANIFEST])
    assert found.new.pack is None
    told = ReleaseDifference.model_validate_json(story.diff("--json").out)
    assert found.sections == told.sections
    assert found.measures == told.measures
    assert f"data/{CHANGES}" not in story.files[0]


@given(parsers.parse("the pack of the first release {place}"))
def _(story: Story, place: str) -> None:
    where = story.folder / ("elsewhere" if place == "is elsewhere and named" else "release/1.0.0")
    where.mkdir(parents=True)
    path = where / "vessel-segmenter-1.0.0-evidence.zip"
    if place != "was removed":
        path.write_bytes(write_archive(story.files["replaced" in place]))
    story.given = path if "named" in place else None


@when("the pack of the release before is searched")
def _(story: Story) -> None:
    try:
        story.found = previous_pack(Workspace(story.folder), story.releases.log.facts, LATER, story.given)
    except RefusedError as error:
        story.refusal = error


@then("it is found")
def _(story: Story) -> None:
    assert story.found == story.files[0]


@then(parsers.parse("the build is refused, because it is {what}"))
def _(story: Story, what: str) -> None:
    assert story.refusal is not None
    assert "the pack of release 1.0.0, which entry 29 built" in story.refusal.message
    assert ("is not there" if what == "not there" else "evidence.zip is not the pack") in story.refusal.message
    assert "--previous PACK" in story.refusal.hint


def test_a_pack_is_made_again_from_the_differences_that_it_states() -> None:
    """A deep verification does not have the pack of the release before."""
    second = two_releases().second
    inputs = second.release.inputs()
    assert inputs.previous is None
    made = payload(gather(inputs), {CHANGES: second.files[f"data/{CHANGES}"]})
    for name in (CHANGES, "documents/release-notes.html"):
        assert made[name] == second.files[f"data/{name}"], name
    without = payload(gather(inputs))
    assert CHANGES not in without
    assert "Differences from release" not in without["documents/release-notes.html"].decode("utf-8")
