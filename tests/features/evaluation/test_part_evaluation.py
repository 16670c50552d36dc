"""Steps of part_evaluation.feature: real cases, split and log; the network is a toy graph."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, UsageError, VerificationError
from minivess.ml.measures import dice
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.parts import NOT_A_TEST, EvaluatedPart
from minivess.records.models.model import RunRecord
from minivess.workflows.models import ensembles
from minivess.workflows.session import workspace_files
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from tests.support import projects
from tests.support.command_line import Finished, run_here
from tests.support.html_pages import Page
from tests.support.lazy_modules import lazily
from tests.support.machines import machine
from tests.support.verify_script import verify

with lazily(
    "minivess.workflows.evaluation.part_evaluation",
    "minivess.ml.training.validation",
    "minivess.ml.evaluation.baseline",
):
    from minivess.ml.evaluation import baseline
    from minivess.ml.training import validation
    from minivess.workflows.evaluation import part_evaluation

scenarios("part_evaluation.feature")

CASES = (
    ("subjects: 5", "subjects: 7"),
    ("calibration: 1, test: 2", "calibration: 2, test: 2"),
    ("steps: 1}", "steps: 1, validation: {share: 0.5}}"),
)
OPENED: list[list[str]] = []


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if OPENED and event == "open" and isinstance(arguments[0], str):
        OPENED[-1].append(arguments[0])


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_notice)


@dataclass
class Story:
    project: projects.ProjectFolder
    made: part_evaluation.PartEvaluation | None = None
    entries: int = 0
    opened: list[str] = field(default_factory=list)
    finished: Finished | None = None
    error: MinivessError | None = None

    def evaluate(self, part: EvaluatedPart) -> None:
        self.opened = []
        with self.project.services() as services:
            self.entries = services.log.size
            OPENED.append(self.opened)
            try:
                self.made = part_evaluation.evaluate_part(services, part)
            except MinivessError as error:
                self.error = error
            finally:
                OPENED.pop()

    @property
    def record(self) -> EvaluationRecord:
        assert self.made is not None, self.error
        return self.made.record


@cache
def _prepared() -> projects.ProjectFolder:
    """A project with one member that held half of the training groups out."""
    folder = Path(tempfile.mkdtemp(prefix="minivess-parts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with machine(folder / "profile"):
        project = projects.start(folder / "project", source=Path(__file__).resolve().parents[3])
        path = project.workspace.project_file
        text = path.read_text(encoding="utf-8")
        for old, new in CASES:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        projects.seal(project)
        projects.add_toy_training(project, procedure=2)
        projects.export_toy_model(project)
    return project


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with machine(tmp_path / "profile"):
        yield Story(_prepared().copy_to(tmp_path / "project"))


@given("a project with a trained and exported model, three training groups and two calibration groups")
def _start(story: Story) -> None:
    split = workspace_files.split_of(story.project.workspace)
    groups = groups_of(workspace_files.manifest_of(story.project.workspace), split)
    assert len({groups[name] for name in split.part(Part.TRAIN)}) == 3
    assert len({groups[name] for name in split.calibration}) == 2


@given("a member whose training names another split")
def _other_member(story: Story) -> None:
    place = "models/members/seed-0/run.json"
    ada, path = story.project.signers["ada"], story.project.workspace.root / place
    run = RunRecord.model_validate_json(path.read_bytes())
    with story.project.services() as services:
        context = services.context(seed=0, model=run.weights, data=digest_bytes(b"another split"))
        with recorded(services, "training", ada, context=context) as record:
            record.output(place, path)
            record.payload(architecture=run.model.architecture, steps=1, final_loss=0.5)
        ensembles.combine(services, ada)
    projects.export_toy_model(story.project)


@given("the members held no case out")
def _none_held_out(story: Story) -> None:
    path = story.project.workspace.project_file
    path.write_text(path.read_text(encoding="utf-8").replace("share: 0.5", "share: 0.0"), encoding="utf-8")
    projects.add_toy_training(story.project, procedure=2)
    projects.export_toy_model(story.project)


@when(parsers.parse("the {part} part is evaluated"))
def _evaluate(story: Story, part: EvaluatedPart) -> None:
    story.evaluate(part)


@when("the validation part is evaluated on the command line")
def _evaluate_by_command(story: Story) -> None:
    story.finished = run_here("evaluate", "--part", "validation", folder=story.project.workspace.root)


@when("both a request and a part are given")
def _both(story: Story) -> None:
    story.finished = run_here(
        "evaluate", "--part", "validation", "--test-set", "TSR-1", folder=story.project.workspace.root
    )


@then("its cases are those that the members held out")
def _held_out(story: Story) -> None:
    split = workspace_files.split_of(story.project.workspace)
    groups = groups_of(workspace_files.manifest_of(story.project.workspace), split)
    drawn = validation.validation_cases({name: groups[name] for name in split.part(Part.TRAIN)}, 0.5, seed=split.seed)
    assert story.record.tested == drawn.cases
    assert set(story.record.tested) < set(split.part(Part.TRAIN))


@then("nothing of the sealed test set was read")
def _sealed(story: Story) -> None:
    assert any("prepared" in path for path in story.opened)
    assert not [path for path in story.opened if path.endswith(".sealed")]
    assert not set(story.record.tested) & set(workspace_files.split_of(story.project.workspace).part(Part.TEST))


@then("the log has no new entry")
def _no_entry(story: Story) -> None:
    with story.project.services() as services:
        assert services.log.size == story.entries


@then("the record states the validation part")
def _states(story: Story) -> None:
    (path,) = (story.project.workspace.evaluation / "parts" / "validation").glob("*/evaluation.json")
    record = EvaluationRecord.model_validate_json(path.read_bytes())
    assert (record.part, record.request) == ("validation", "validation")
    assert (path.parent / "figures" / "overlay.png").is_file()


@then("the terminal says that the figures are not those of the test set")
def _terminal(story: Story) -> None:
    assert story.finished is not None
    assert story.finished.code == 0, story.finished.err
    assert "Not the test set" in story.finished.out
    assert "kept are those that did best on them" in story.finished.out


@then("each case has thresholds that were fitted without its group")
def _cross_fitted(story: Story) -> None:
    split = workspace_files.split_of(story.project.workspace)
    assert set(story.record.tested) == set(split.calibration)
    assert story.record.part == "calibration"
    groups = groups_of(workspace_files.manifest_of(story.project.workspace), split)
    with story.project.services() as services:
        cases = list(BoundInputs.of(services).cases(Part.CALIBRATION))
    for row in story.record.cases:
        (case,) = (one for one in cases if one.record.id == row.case)
        others = [(one.image, one.label) for one in cases if groups[one.record.id] != row.group]
        assert others
        (found,) = baseline.threshold_masks(case.image, baseline.tune_thresholds(others))
        assert row.baseline == dice.overlap(found, case.label)


@then("an MLflow run has the mean Dice and the record as an artifact")
def _tracked(story: Story) -> None:
    from minivess.observability.tracking.mlflow_store import MlflowStore

    with story.project.services() as services:
        store = MlflowStore(services.settings.mlflow_uri)
        name = services.project.device.name
    with store.asked("read") as client:
        runs = client.search_runs([client.get_experiment_by_name(name).experiment_id])
        (run,) = [one for one in runs if one.data.tags.get("part") == "validation"]
        files = {one.path for one in client.list_artifacts(run.info.run_id, "evaluation")}
    assert run.data.metrics["dice"] == pytest.approx(story.record.aggregates["dice"].mean)
    assert "evaluation/evaluation.json" in files
    assert run.data.tags["model"] == story.record.model


@then("its record is refused as an evaluation of the test set by both verifiers")
def _refused(story: Story) -> None:
    from minivess.records.evaluation.recomputation import first_difference
    from minivess.workflows.sealed.analysis_plan import plan_of

    with story.project.services() as services:
        plan = plan_of(services.project, workspace_files.manifest_of(story.project.workspace).cases)
    found = first_difference(story.record, plan)
    assert found is not None
    assert found.figure == "part"
    with pytest.raises(verify.WrongError, match="other fields"):
        verify.fit(json.loads(story.record.model_dump_json()), "record", "the evaluation")


@then("it is refused because a member was trained on another split")
def _other_split(story: Story) -> None:
    assert isinstance(story.error, VerificationError)
    assert "another split" in story.error.message


@then("it is refused with a hint to the calibration part")
def _no_validation(story: Story) -> None:
    assert isinstance(story.error, UsageError)
    assert "--part calibration" in (story.error.hint or "")


@then("the command says that one of them is needed")
def _one_of_both(story: Story) -> None:
    assert story.finished is not None
    assert story.finished.code == 2
    assert "either --test-set REQUEST or --part" in story.finished.err


@then("each page of its report is marked, and has pictures of its cases")
def _marked_report(story: Story) -> None:
    (path,) = (story.project.workspace.evaluation / "parts" / "validation").glob("*/report.html")
    report = Page(path)
    mark = f"Validation part. {NOT_A_TEST}"
    assert report.source.count(mark) == 2
    assert re.search(r"@page [^\n]*@top-center", report.source)
    assert "Not judged" in report.text
    assert sum(tag == "img" for tag, _ in report.elements) > 1
