"""Steps of guarded_evaluation.feature: the real workflows on a small sealed project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import MinivessError
from minivess.records.entry import Outcome
from minivess.records.evaluation import EvaluationRecord
from minivess.workflows import data, final_evaluation, test_set
from minivess.workflows.services import Services, load_project
from tests import audit_logs, projects

scenarios("guarded_evaluation.feature")


@dataclass
class Story:
    project: projects.ProjectFolder
    services: Services
    request: str = ""
    record: EvaluationRecord | None = None
    error: MinivessError | None = None
    status: dict[str, Any] = field(default_factory=dict)

    def register(self) -> None:
        test_set.register_criteria(self.services, self.project.signers["ada"])

    def ask(self, who: str) -> None:
        made = test_set.request(self.services, self.project.signers[who], purpose="a scenario")
        self.request = made.id

    def approve(self) -> None:
        test_set.approve(self.services, self.project.signers["rosa"], self.request)

    def evaluate(self) -> None:
        self.record = final_evaluation.run(self.services, self.project.signers["ada"], self.request)


@pytest.fixture
def story(sealed_project: projects.ProjectFolder, tmp_path: Path) -> Iterator[Story]:
    project = sealed_project.copy_to(tmp_path / "project")
    with project.services() as services:
        yield Story(project, services)


@given("a project whose test part is sealed for the reviewer Rosa")
def _(story: Story) -> None:
    assert set(data.seal_of(story.project.workspace).wrapped_keys) == {"rosa"}


@given("no acceptance criteria are registered")
def _(story: Story) -> None:
    assert "criteria.register" not in {entry.body.action for entry in story.services.log.entries()}


@given("the acceptance criteria are registered")
def _(story: Story) -> None:
    story.register()


@given("Ada has asked to open the test set")
def _(story: Story) -> None:
    story.ask("ada")


@given("Rosa has asked to open the test set")
def _(story: Story) -> None:
    story.ask("rosa")


@given("Rosa has approved it")
def _(story: Story) -> None:
    story.approve()


@given("Ada has evaluated once under Rosa's approval")
def _(story: Story) -> None:
    story.register()
    story.ask("ada")
    story.approve()
    story.evaluate()


@given("Ada has evaluated once more under a new approval")
def _(story: Story) -> None:
    story.ask("ada")
    story.approve()
    story.evaluate()


@given("the exported model is replaced by another")
def _(story: Story) -> None:
    projects.write_toy_graph(story.project.workspace.onnx, bias=0.25)


@given("the project file is changed afterwards")
def _(story: Story) -> None:
    file = story.project.workspace.project_file
    file.write_text(file.read_text(encoding="utf-8").replace("steps: 1", "steps: 2"), encoding="utf-8")
    story.services = replace(story.services, project=load_project(story.project.workspace.root))


@given("one byte of a sealed file is changed")
def _(story: Story) -> None:
    file = sorted(story.project.workspace.sealed.glob("*.image.sealed"))[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


@when("Ada asks to open the test set")
def _(story: Story) -> None:
    with pytest.raises(MinivessError) as caught:
        story.ask("ada")
    story.error = caught.value


@when("Rosa approves it")
def _(story: Story) -> None:
    with pytest.raises(MinivessError) as caught:
        story.approve()
    story.error = caught.value


@when("Ada evaluates")
def _(story: Story) -> None:
    try:
        story.evaluate()
    except MinivessError as error:
        story.error = error


@when("the count is asked for")
def _(story: Story) -> None:
    story.status = test_set.status(story.services)


@then(parsers.parse('it is refused because "{reason}"'))
def _(story: Story, reason: str) -> None:
    assert story.error is not None
    assert story.error.exit_code == 1
    assert reason in story.error.message


@then("the refusal is an entry of the log")
def _(story: Story) -> None:
    assert story.error is not None
    last = list(story.services.log.entries())[-1].body
    assert last.outcome is Outcome.REFUSED
    error = audit_logs.told(story.services.log, last).error
    assert error is not None
    assert story.error.message.split(",")[0] in error


@then("the evaluation has measures for every sealed case")
def _(story: Story) -> None:
    assert story.error is None
    assert story.record is not None
    assert {row.case for row in story.record.cases} == set(data.split_of(story.project.workspace).test)


@then("the log shows criteria, request, approval and opening in this order")
def _(story: Story) -> None:
    wanted = ["criteria.register", "test-set.request", "test-set.approve", "test-set.open"]
    done = [
        entry.body.action
        for entry in story.services.log.entries()
        if entry.body.action in wanted and entry.body.outcome is Outcome.COMPLETED
    ]
    assert done == wanted


@then("the opening has been counted all the same")
def _(story: Story) -> None:
    assert test_set.status(story.services)["openings"] == 1


@then("it says 2 openings, by whom, and who approved")
def _(story: Story) -> None:
    assert story.status["openings"] == 2
    assert [(row["requester"], row["approver"]) for row in story.status["opened"]] == [("ada", "rosa")] * 2
