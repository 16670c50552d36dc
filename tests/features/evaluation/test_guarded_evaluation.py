"""Steps of guarded_evaluation.feature: the real workflows on a small sealed project."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.identity.keystores.keystore import Keystore
from minivess.compliance.verification.log import verify_log
from minivess.foundation.clock import utc_now
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import MinivessError, RefusedError
from minivess.foundation.user_profile import Profile
from minivess.ml.sealed.sealed_cases import open_image, open_label, open_sealed
from minivess.records.evaluation.evaluation import EvaluationRecord, Looks
from minivess.records.log.entry import Entry, Outcome
from minivess.records.log.payloads.identities import IdentityRefused
from minivess.records.people.roles import IdentityKind, Role
from minivess.workflows.people import accounts
from minivess.workflows.sealed import access_status, key_release
from minivess.workflows.sealed import requests as test_set
from minivess.workflows.session import workspace_files
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.builders import audit_logs
from tests.support.html_pages import Page
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

scenarios("guarded_evaluation.feature")

WATCHED: list[set[str]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHED and event == "open":
        path, mode, flags = arguments
        writes = (
            any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
        )
        if writes and not isinstance(path, int):
            WATCHED[-1].add(os.path.realpath(os.fsdecode(path)))


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_watch)


@dataclass
class Story:
    project: projects.ProjectFolder
    services: Services
    requests: list[str] = field(default_factory=list)
    records: list[EvaluationRecord] = field(default_factory=list)
    error: MinivessError | None = None
    status: dict[str, Any] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def register(self) -> None:
        projects.register(self.project, self.services)

    def ask(self, who: str = "ada") -> None:
        made = test_set.request(self.services, self.project.signers[who], purpose="a scenario")
        self.requests.append(made.id)

    def approve(self, number: int = -1) -> None:
        test_set.approve(self.services, self.project.signers["rosa"], self.requests[number])

    def evaluate(self, number: int = -1, who: str = "ada") -> None:
        self.records.append(final_evaluation.run(self.services, self.project.signers[who], self.requests[number]))

    def once(self) -> None:
        self.ask()
        self.approve()
        self.evaluate()

    def go_on(self, other: Story, folder: Path) -> None:
        """Go on from a copy of what another story left."""
        self.services.close()
        self.project = other.project.copy_to(folder)
        self.services = self.project.services()
        self.requests, self.records = list(other.requests), list(other.records)

    def change_plan(self, **changes: Any) -> None:
        plan = self.services.project.evaluation.model_copy(update=changes)
        project = self.services.project.model_copy(update={"evaluation": plan})
        self.services = replace(self.services, project=project)

    def refused(self, act: Callable[[], None]) -> None:
        with pytest.raises(MinivessError) as caught:
            act()
        self.error = caught.value


@pytest.fixture
def story(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = sealed_project.copy_to(tmp_path / "project")
    made = Story(project, project.services())
    yield made
    made.services.close()


@pytest.fixture(scope="module")
def looked_once(sealed_project: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A project after one look at the test set, for several scenarios to go on from."""
    project = sealed_project.copy_to(tmp_path_factory.mktemp("looked-once") / "project")
    made = Story(project, project.services())
    made.register()
    made.once()
    made.services.close()
    return made


@pytest.fixture(scope="module")
def looked_twice(looked_once: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same project after a second look."""
    made = Story(looked_once.project, looked_once.services)
    made.go_on(looked_once, tmp_path_factory.mktemp("looked-twice") / "project")
    made.once()
    made.services.close()
    return made


@given("a project whose test part is sealed for the reviewer Rosa")
def _(story: Story) -> None:
    assert set(workspace_files.seal_of(story.project.workspace).wrapped_keys) == {"rosa"}


@given("no acceptance criteria are registered")
def _(story: Story) -> None:
    assert "criteria.register" not in {entry.body.action for entry in story.services.log.entries()}


@given("criteria and plan are registered")
def _(story: Story) -> None:
    story.register()


@given("the project file changes the plan but not the criteria")
def _(story: Story) -> None:
    story.change_plan(bootstrap=story.services.project.evaluation.bootstrap + 1)


@given("the plan allows 1 look")
def _(story: Story) -> None:
    story.change_plan(looks=Looks(per_release=1, total=1))


@given("Ada has asked to open the test set")
@given("Ada has asked once more")
def _(story: Story) -> None:
    story.ask()


@given("Eva, who is developer and reviewer, has asked to open the test set")
def _(story: Story) -> None:
    eva = audit_logs.person("eva", Role.DEVELOPER, Role.REVIEWER)
    with recorded(story.services, "identity.enrolled", story.project.signers["max"], instant=True) as record:
        record.payload(identity=eva.identity)
    story.project.signers["eva"] = eva
    story.ask("eva")


@when("Eva approves it")
def _(story: Story) -> None:
    story.refused(lambda: test_set.approve(story.services, story.project.signers["eva"], story.requests[-1]))


@given("Ada has asked to open the test set twice")
def _(story: Story) -> None:
    story.register()
    story.ask()
    story.ask()


@given("Rosa has approved it")
def _(story: Story) -> None:
    story.approve()


@given("Rosa has approved one")
def _(story: Story) -> None:
    story.approve(0)


@given("Ada has evaluated once under Rosa's approval")
def _(story: Story, looked_once: Story, tmp_path: Path) -> None:
    if story.services.project == looked_once.services.project:
        story.go_on(looked_once, tmp_path / "once")
    else:
        story.register()
        story.once()


@given("Ada has evaluated once more under a new approval")
def _(story: Story, looked_twice: Story, tmp_path: Path) -> None:
    assert story.requests == looked_twice.requests[:1]
    story.go_on(looked_twice, tmp_path / "twice")


@when("Rosa's signature is entered as her approval of that one")
def _(story: Story) -> None:
    first, second = story.requests
    grant = story.services.log.standing.test_set.grants[first].grant

    def enter() -> None:
        with recorded(story.services, "test-set.approve", story.project.signers["rosa"], instant=True) as record:
            record.payload(
                grant=grant.model_copy(update={"request": second}).model_dump(mode="json", exclude_none=True)
            )

    story.refused(enter)


@given("an evaluation under the same approval came to other figures")
def _(story: Story) -> None:
    services, [request] = story.services, story.requests
    other = services.log.standing.test_set.first_result(request)
    assert other is not None
    changed = other.model_copy(update={"baseline_dice": other.baseline_dice / 2})
    context = services.context(model=story.records[0].model)
    with recorded(services, "evaluation", story.project.signers["ada"], context=context) as record:
        record.payload(**changed.model_dump(mode="json"))


@given("Rosa's approval was interrupted after its entry")
def _(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(test_set, "hand_out", cut)
        with pytest.raises(KeyboardInterrupt):
            story.approve()


@given("the model is replaced by another")
def _(story: Story) -> None:
    projects.export_toy_model(story.project, bias=0.25)


@given("the calibration is replaced by another")
def _(story: Story) -> None:
    file = story.project.workspace.models / "calibration.json"
    said = file.read_text(encoding="utf-8")
    assert '"threshold": null' in said
    file.write_text(said.replace('"threshold": null', '"threshold": 0.1'), encoding="utf-8")
    with recorded(story.services, "calibration", story.project.signers["ada"]) as record:
        record.output("models/calibration.json", file)
        record.payload(temperature=1.0, threshold=0.1, target_recall=0.9, cases=1)


@given("the configuration is changed")
def _(story: Story) -> None:
    file = story.project.workspace.project_file
    file.write_text(file.read_text(encoding="utf-8").replace("steps: 1", "steps: 2"), encoding="utf-8")
    story.services = replace(story.services, project=load_project(story.project.workspace.root))


@given("a sealed file is changed in one byte")
def _(story: Story) -> None:
    file = sorted(story.project.workspace.sealed.glob("*.image.sealed"))[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


@given(parsers.parse("Rosa's {right} is taken away"))
def _(story: Story, right: str, tmp_path: Path) -> None:
    manager = story.project.signers["max"]
    accounts.revoke(story.services, manager, "rosa", "left the project")
    if right == "role":
        store = Keystore(tmp_path / "other-keys")
        again = store.create("rosa", "Rosa", IdentityKind.PERSON, (Role.DEVELOPER,), projects.PASSPHRASE)
        with recorded(story.services, "identity.enrolled", manager, instant=True) as record:
            record.payload(identity=again)


@when("Ada asks to open the test set")
def _(story: Story) -> None:
    story.refused(story.ask)


@when("Rosa approves it")
def _(story: Story) -> None:
    story.refused(story.approve)


@when("Rosa approves the second")
def _(story: Story) -> None:
    story.refused(lambda: story.approve(1))


@when("Rosa approves again")
def _(story: Story) -> None:
    story.approve()


@when("Rosa approves it as custodian and runs the evaluation")
def _(story: Story) -> None:
    rosa = story.project.signers["rosa"]
    test_set.approve(story.services, rosa, story.requests[-1], mode="custodian")
    story.evaluate(who="rosa")


@when("Ada evaluates in two processes at once")
def _(story: Story) -> None:
    code = "import sys; from tests.support.projects import evaluate_as_ada as run; run(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(story.project.workspace.root), story.requests[-1]]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error


@when("Ada evaluates")
@when("Ada evaluates again")
def _(story: Story) -> None:
    story.error = None
    try:
        story.evaluate()
    except MinivessError as error:
        story.error = error


@when("Max evaluates with Ada's key file in his hands")
def _(story: Story) -> None:
    story.refused(lambda: story.evaluate(who="max"))


@when("eight days pass and Rosa approves")
def _(story: Story) -> None:
    story.services = replace(story.services, clock=lambda: utc_now() + timedelta(days=8))
    story.refused(story.approve)


@when("Max enrols a second identity in Ada's name as reviewer")
def _(story: Story, tmp_path: Path) -> None:
    store = Keystore(tmp_path / "other-keys")
    second = store.create("ada-2", " ADA", IdentityKind.PERSON, (Role.REVIEWER,), projects.PASSPHRASE)

    def enrol() -> None:
        with recorded(story.services, "identity.enrolled", story.project.signers["max"], instant=True) as record:
            record.payload(identity=second)

    story.refused(enrol)


@when("Ada evaluates under watch")
def _(story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    WATCHED.append(story.written)
    try:
        story.evaluate()
    finally:
        WATCHED.clear()


@when("Ada's evaluation breaks off after the first case")
def _(story: Story) -> None:
    def stop(label: str, done: int, total: int) -> None:
        if label == "evaluating":
            raise KeyboardInterrupt

    services = story.services
    story.services = replace(services, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        story.evaluate()
    story.services = services


@when("the count is asked for")
def _(story: Story) -> None:
    story.status = access_status.status(story.services)


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    assert reason in story.error.message


@then(parsers.parse('the last entry says that "{person}" was refused "{action}"'))
def _(story: Story, person: str, action: str) -> None:
    assert story.error is not None
    last = list(story.services.log.entries())[-1].body
    assert (last.outcome, last.actor, last.action) == (Outcome.REFUSED, person, action)
    error = audit_logs.told(story.services.log, last).error
    assert error == f"{type(story.error).__name__}: {story.error.message}"


@then('the last entry, by the log, names Rosa and "test-set.approve"')
def _(story: Story) -> None:
    last = list(story.services.log.entries())[-1].body
    assert (last.action, last.actor) == ("identity.refused", "log")
    said = IdentityRefused.model_validate(last.payload)
    assert (said.identity, said.attempted) == ("rosa", "test-set.approve")
    assert said.key == story.project.signers["rosa"].key_id


@then("the key file is wrapped, and Max cannot open it")
def _(story: Story) -> None:
    file = key_release.key_file(story.project.workspace, story.requests[-1])
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedError):
        story.project.signers["max"].unwrap(file.read_text(encoding="ascii"), context=key_release.EPHEMERAL_CONTEXT)


@then("no figures were made")
def _(story: Story) -> None:
    actions = [entry.body for entry in story.services.log.entries() if entry.body.outcome is Outcome.COMPLETED]
    assert "evaluation" not in {body.action for body in actions}
    assert not (story.project.workspace.evaluation / "evaluation.json").exists()


@then("the evaluation has measures for every sealed case")
def _(story: Story) -> None:
    assert story.error is None
    (record,) = story.records
    assert {row.case for row in record.cases} == set(workspace_files.split_of(story.project.workspace).test)


@then("both evaluations have the same figures")
def _(story: Story) -> None:
    first, second = story.records
    assert first == second


@then("it says 1 look with 2 evaluations and no discrepancy")
def _(story: Story) -> None:
    [row] = story.status["opened"]
    assert (row["look"], row["evaluations"], row["discrepancies"]) == (1, 2, [])


@then("it says 1 look with 2 evaluations and names the entry that differs")
def _(story: Story) -> None:
    [row] = story.status["opened"]
    assert (row["look"], row["evaluations"], row["discrepancies"]) == (1, 2, [story.services.log.size - 1])


@then("the figures of the first evaluation count")
def _(story: Story) -> None:
    [row] = story.status["opened"]
    assert row["aggregates"]["dice"]["mean"] == story.records[0].aggregates["dice"].mean


@then("the count says 1 look")
def _(story: Story) -> None:
    assert access_status.status(story.services)["openings"] == 1


@then("the log verifies")
def _(story: Story) -> None:
    checks, _ = verify_log(story.services.log.pairs(), story.services.log.checkpoint())
    assert [check.detail for check in checks if not check.passed] == []


@then("no key was handed out and no picture of a test case was written")
def _(story: Story) -> None:
    workspace = story.project.workspace
    assert not list(workspace.test_set.glob("*.grant"))
    assert not (workspace.evaluation / "figures" / "overlay.png").exists()
    assert (workspace.evaluation / "figures" / "measures.svg").exists()
    report = Page(workspace.evaluation / "report.html")
    assert "There are no pictures of cases: the custodian gives out measures alone." in report.text
    assert not [attributes for tag, attributes in report.elements if tag in {"img", "image"}]


@then("the entry of the evaluation names the digest of the report")
def _(story: Story) -> None:
    outputs = {one.name: one.digest for one in _evaluated(story).body.outputs}
    assert outputs["evaluation/report.html"] == digest_file(story.project.workspace.evaluation / "report.html")


@then("the report has the figures of the record and names Ada, Rosa and the look")
def _(story: Story) -> None:
    report, (record,) = Page(story.project.workspace.evaluation / "report.html"), story.records
    stated = {
        attributes["data-figure"]: following.get("data-value")
        for (_, attributes), following in zip(report.elements, _figures(report), strict=True)
        if "data-figure" in attributes
    }
    for name, interval in record.aggregates.items():
        assert float(stated[name] or "nan") == interval.mean
    tenures = story.services.log.standing.register.tenures.values()
    names = {one.identity.id: one.identity.name for one in tenures}
    assert f"{names['ada']}, for “a scenario”" in report.text
    assert names["rosa"] in report.text
    assert "1 of 3 that the seal allows" in report.text
    assert sum(tag == "img" for tag, _ in report.elements) > len(record.tested)
    assert "Not the test set" not in report.source


@then("the report is the same bytes as before")
def _(story: Story) -> None:
    outputs = [
        {one.name: one.digest for one in entry.body.outputs}["evaluation/report.html"]
        for entry in story.services.log.entries()
        if entry.body.action == "evaluation" and entry.body.outcome is Outcome.COMPLETED
    ]
    assert len(outputs) == 2
    assert len(set(outputs)) == 1


def _evaluated(story: Story) -> Entry:
    """The newest entry of a completed evaluation."""
    return [
        entry
        for entry in story.services.log.entries()
        if entry.body.action == "evaluation" and entry.body.outcome is Outcome.COMPLETED
    ][-1]


def _figures(report: Page) -> list[dict[str, str | None]]:
    """For each element of a page the next one that has a value."""
    found: list[dict[str, str | None]] = []
    following: dict[str, str | None] = {}
    for _, attributes in reversed(report.elements):
        following = attributes if "data-value" in attributes else following
        found.append(following)
    return found[::-1]


@then("Ada cannot evaluate under this approval")
def _(story: Story) -> None:
    story.refused(story.evaluate)
    assert story.error is not None
    assert "granted to rosa, not to ada" in story.error.message


@then("the log shows criteria, request, approval and evaluation in this order")
def _(story: Story) -> None:
    wanted = ["criteria.register", "test-set.request", "test-set.approve", "evaluation"]
    done = [
        entry.body.action
        for entry in story.services.log.entries()
        if entry.body.action in wanted and entry.body.outcome is Outcome.COMPLETED
    ]
    assert done == wanted


@then("no file that was written holds plain bytes of the test part")
def _(story: Story, tmp_path: Path) -> None:
    manifest = workspace_files.seal_of(story.project.workspace)
    rosa = story.project.signers["rosa"]
    keys = b"".join(rosa.unwrap(one, context=workspace_files.SEAL_CONTEXT) for one in manifest.wrapped_keys["rosa"])
    plain = []
    for case in open_sealed(story.project.workspace.sealed, manifest, keys):
        image, label = open_image(case), open_label(case)
        plain += [row.tobytes() for row in image[image.shape[0] // 2]]
        plain += [label.tobytes(), *(layer.tobytes() for layer in label if layer.any() and not layer.all())]
    files = [path for path in (*tmp_path.rglob("*"), *map(Path, story.written)) if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        assert not [piece for piece in plain if piece in content], path.name


@then("every file that was opened for writing is in the workspace's evidence, or is what the signer saw of the log")
def _(story: Story) -> None:
    evidence = os.path.realpath(story.project.workspace.evidence)
    own = (evidence, os.path.realpath(Profile.of_user().seen))
    strangers = {name for name in story.written if not name.startswith(own) and name != os.devnull}
    assert story.written
    assert not strangers


@then("it says 2 looks, by whom, why, who approved, for which release and with what result")
def _(story: Story) -> None:
    assert story.status["openings"] == 2
    assert story.status["left"] == 1
    said = [
        (row["requester"], row["approver"], row["purpose"], row["release"], row["outcome"], row["criteria_met"])
        for row in story.status["opened"]
    ]
    assert said == [("ada", "rosa", "a scenario", "0.1.0", "evaluated", True)] * 2
    assert story.status["opened"][0]["aggregates"]["dice"]["n"] == 2


@then("both results have intervals of 98.33 % around the same means")
def _(story: Story) -> None:
    first, second = (record.aggregates["dice"] for record in story.records)
    assert first == second
    assert first.level == pytest.approx(1 - 0.05 / 3)
    assert None not in {first.lower, first.upper}
    assert [one["level"] for one in access_status.status(story.services)["opened"]] == [first.level] * 2


@then("the second result says that it was look 2 of at most 3 and by which rule the level follows")
def _(story: Story) -> None:
    assert story.records[1].look == 2
    assert "look 2 of at most 3" in story.records[1].reuse
    assert "98.33 %" in story.records[1].reuse
    assert "Bonferroni" in story.records[1].reuse


@then("it says 1 look that failed")
def _(story: Story) -> None:
    assert [(row["look"], row["outcome"], row["criteria_met"]) for row in story.status["opened"]] == [
        (1, "failed", None)
    ]


@then("the next look would be the second")
def _(story: Story) -> None:
    story.once()
    assert story.records[-1].look == 2
