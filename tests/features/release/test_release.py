"""Steps of release.feature: gates, pack and signatures on a small project with everything a release needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.verification.pack import verify_pack
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError
from minivess.foundation.paths import templates_folder
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.log.entry import Outcome
from minivess.records.verdict import Verdict
from minivess.workflows.release import build, gates, signing
from minivess.workflows.sealed import requests
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.command_line import Finished, run_here
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

scenarios("release.feature")


@dataclass
class Story:
    project: projects.ProjectFolder
    services: Services
    pack: Path | None = None
    error: MinivessError | None = None
    verdict: Verdict | None = None
    checked: Finished | None = None
    size: int = 0

    def check(self, *options: str) -> Finished:
        root = self.project.workspace.root
        return run_here("-C", str(root), "release", "check", *options, folder=root)

    def build(self) -> None:
        self.pack = build.build(self.services, self.project.signers["max"]).path

    def sign(self, who: str) -> None:
        assert self.pack is not None
        asked = signing.examine(self.services, who, self.pack)
        signing.sign(self.services, self.project.signers[who], asked)


@pytest.fixture
def story(releasable_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = releasable_project.copy_to(tmp_path / "project")
    with project.services() as services:
        yield Story(project, services)


@given("a project that has everything a release needs")
def _(story: Story) -> None:
    assert all(result.passed for result in gates.judge_gates(story.services))


@given("a release policy that asks for a Dice of at least 0.999")
def _(story: Story) -> None:
    file = story.project.workspace.root / "release" / "policy.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("at_least: 0.01", "at_least: 0.999"), encoding="utf-8")


@given("the evaluation misses a registered criterion that the policy does not ask for")
def _(story: Story) -> None:
    """Register what the toy model cannot reach beside the rest, then evaluate once more under both."""
    project, services = story.project, story.services
    criterion = Criterion(measure="cldice", statistic="mean", at_least=0.999)
    plan = services.project.evaluation.model_copy(
        update={"criteria": (*services.project.evaluation.criteria, criterion)}
    )
    story.services = services = replace(services, project=services.project.model_copy(update={"evaluation": plan}))
    projects.register(project, services)
    asked = requests.request(services, project.signers["ada"], purpose="under stricter criteria")
    requests.approve(services, project.signers["rosa"], asked.id)
    final_evaluation.run(services, project.signers["ada"], asked.id)


@given('a release policy without the gate "criteria"')
def _(story: Story) -> None:
    file = story.project.workspace.root / "release" / "policy.yaml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "criteria" not in line), encoding="utf-8")


@then("it is refused as a policy that does not judge the registered criteria")
def _(story: Story) -> None:
    assert story.error is not None
    assert "does not judge the registered acceptance criteria" in story.error.message
    assert not list((story.project.workspace.root / "release").rglob("*.zip"))


@given("a member was trained that no ensemble uses")
def _(story: Story) -> None:
    services = story.services
    with recorded(services, "training", story.project.signers["ada"], context=services.context(seed=99)) as record:
        record.context(model=digest_bytes(b"weights of a discarded seed"))
        record.output("models/discarded.pt", digest_bytes(b"weights of a discarded seed"))
        record.payload(architecture="segresnet", steps=1, final_loss=0.5)


@given("another model was trained, exported and never evaluated")
def _(story: Story) -> None:
    projects.export_toy_model(story.project, bias=0.5)


@given("the release was prepared and its pack could not be written")
def _(story: Story) -> None:
    in_the_way = story.project.workspace.release(story.services.project.device.version)
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_bytes(b"")
    with pytest.raises(MinivessError) as caught:
        story.build()
    assert caught.value.exit_code in {1, 3}
    in_the_way.unlink()
    actions = [(entry.body.action, entry.body.outcome) for entry in story.services.log.entries()]
    assert actions[-2:] == [("release.prepare", Outcome.COMPLETED), ("release.build", Outcome.FAILED)]


@when("the release is checked at the command line")
def _(story: Story) -> None:
    story.size = story.services.log.size
    story.checked = story.check()


@then("each failing gate and each further reason has its own line with its own hint, and the exit code is 1")
def _(story: Story) -> None:
    assert story.checked is not None
    assert story.checked.code == 1
    lines = story.checked.err.splitlines()
    failing = [result for result in gates.judge_gates(story.services) if not result.passed]
    assert [one.id for one in failing] == ["dice", "runs"]
    for gate in failing:
        place = lines.index(f"error: gate {gate.id} fails: {gate.message}")
        assert lines[place + 1].endswith(gate.mend)
        assert f"FAIL  {gate.id}" in story.checked.out
    further = [line for line in lines if line.startswith("error: ") and "gate " not in line[:12]]
    assert len(further) == 1
    assert "is neither in the ensemble nor has a disposition" in further[0]
    assert lines[lines.index(further[0]) + 1].startswith("hint: ")


@then("the JSON of the check says the same")
def _(story: Story) -> None:
    told = story.check("--json")
    found = json.loads(told.out)
    assert (told.code, found["releasable"], found["rests_on"]) == (1, False, None)
    assert [one["gate"] for one in found["gates"] if not one["passed"]] == ["dice", "runs"]
    assert len(found["reasons"]) == 3
    assert all(one["hint"] for one in found["reasons"])
    assert not told.err


@then("it names the entries that the release rests on, and the exit code is 0")
def _(story: Story) -> None:
    assert story.checked is not None
    assert (story.checked.code, story.checked.err) == (0, "")
    entries = {entry.body.action: entry.body.index for entry in story.services.log.entries()}
    for role, action in {"export": "model.export", "evaluation": "evaluation", "scenarios": "scenarios"}.items():
        assert f"{role} entry {entries[action]}" in story.checked.out
    assert "Next: minivess release build" in story.checked.out
    assert json.loads(story.check("--json").out)["releasable"] is True


@then("nothing was recorded")
def _(story: Story) -> None:
    assert story.services.log.size == story.size


@then("the pack's log ends with the second preparation")
def _(story: Story) -> None:
    assert story.pack is not None
    lines = read_archive(story.pack.read_bytes())["data/audit/entries.jsonl"].splitlines()
    actions = [json.loads(line)["body"]["action"] for line in lines]
    assert actions.count("release.prepare") == 2
    assert actions[-1] == "release.prepare"


@given("the release is built")
def _(story: Story) -> None:
    story.build()


@given(parsers.parse("{who} has signed it"))
def _(story: Story, who: str) -> None:
    story.sign(who.lower())


@when("the release is built")
def _(story: Story) -> None:
    try:
        story.build()
    except MinivessError as error:
        story.error = error


@when("Rosa signs it again")
def _(story: Story) -> None:
    with pytest.raises(MinivessError) as caught:
        story.sign("rosa")
    story.error = caught.value


@when("the pack is verified")
def _(story: Story) -> None:
    assert story.pack is not None
    story.verdict = verify_pack(story.pack)


@then(parsers.parse('it is refused, naming the gate "{gate}", by how much it fails and how to fix it'))
def _(story: Story, gate: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    failed = {result.id: result for result in gates.judge_gates(story.services) if not result.passed}
    assert set(failed) == {gate}
    assert gate in story.error.message
    assert failed[gate].message in story.error.message
    assert failed[gate].margin is not None
    assert failed[gate].margin < 0
    assert failed[gate].mend
    assert failed[gate].mend in story.error.hint


@then("there is no pack")
def _(story: Story) -> None:
    assert not list((story.project.workspace.root / "release").rglob("*.zip"))


@then("the refusal is an entry of the log")
def _(story: Story) -> None:
    last = list(story.services.log.entries())[-1].body
    assert (last.action, last.outcome) == ("release.build", Outcome.REFUSED)


@then("there is a pack, and the log names its digest")
def _(story: Story) -> None:
    assert story.error is None
    assert story.pack is not None
    last = list(story.services.log.entries())[-1].body
    assert digest_bytes(story.pack.read_bytes()) in {artifact.digest for artifact in last.outputs}


@then("it does not hold because of its signatures")
def _(story: Story) -> None:
    assert story.verdict is not None
    assert story.verdict.first_failure is not None
    assert story.verdict.first_failure.name == "release signatures"


@then("it holds")
def _(story: Story) -> None:
    assert story.verdict is not None
    assert story.verdict.first_failure is None
    assert story.verdict.holds


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    assert reason in story.error.message


def _replace_cosignature(story: Story, line: bytes | None) -> None:
    assert story.pack is not None
    files = read_archive(story.pack.read_bytes())
    name = "signatures/rosa.cosignature"
    assert name in files
    changed = {key: value for key, value in files.items() if key != name} | ({} if line is None else {name: line})
    story.pack.write_bytes(write_archive(changed))


@when("Rosa's cosignature is taken out of the pack")
def _(story: Story) -> None:
    _replace_cosignature(story, None)


@when("Rosa's cosignature is replaced by one of an earlier checkpoint")
def _(story: Story) -> None:
    earlier = story.services.log.checkpoint(3)
    line = story.project.signers["rosa"].cosign(earlier, 1_790_000_000)
    _replace_cosignature(story, line.encode("utf-8"))


@then(parsers.parse('both verifiers say that "{who}" has not cosigned'))
def _(story: Story, who: str) -> None:
    assert story.pack is not None
    failure = verify_pack(story.pack).first_failure
    assert failure is not None
    script = templates_folder() / "verify" / "verify.py"
    told = subprocess.run([sys.executable, str(script), str(story.pack)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    for words in (failure.detail, next(line for line in told.stdout.splitlines() if line.startswith("FAIL"))):
        assert who in words
        assert "cosign" in words


@then(parsers.parse('the gate "{gate}" reports how many registered criteria are met'))
def _(story: Story, gate: str) -> None:
    (result,) = [one for one in gates.judge_gates(story.services) if one.id == gate]
    count = len(story.services.project.evaluation.criteria)
    assert result.message.startswith(
        "1 acceptance criterion met" if count == 1 else f"All {count} acceptance criteria met"
    )
