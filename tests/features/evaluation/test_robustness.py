"""Steps of features/robustness.feature."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import UsageError
from minivess.ml.robustness.perturbation import Scene
from minivess.ml.robustness.registry import PERTURBATIONS
from minivess.records.evaluation.evaluation import Criterion
from minivess.records.evaluation.robustness import RobustnessRecord, recomputed
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import open_reader
from minivess.workflows.session.workspace_files import model_of, split_of
from tests.support.builders.robustness_rows import along
from tests.support.command_line import Finished, run_here
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder, add_toy_training

with lazily("minivess.workflows.analysis.open_cases", "minivess.workflows.analysis.robustness"):
    from minivess.workflows.analysis import open_cases, robustness

scenarios("robustness.feature")

TRAINING = "training: {{members: [0], steps: 1, validation: {{share: {share}}}}}"
SHAPES = {"volumes": (6, 9, 12), "pictures": (14, 18)}


@dataclass
class Changed:
    """Images before and after."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    before: tuple[NDArray[np.float32], NDArray[np.uint8]]
    scenes: dict[tuple[str, float], Scene] = field(default_factory=dict)

    def change(self, name: str, level: float) -> Scene:
        spacing = (2.0, 1.0, 1.0)[-self.label.ndim :]
        return PERTURBATIONS[name](np.random.default_rng(7), self.image, self.label, spacing, level)


@given(parsers.parse("{images} with {channels:d} channels"), target_fixture="changed")
def images_of(images: str, channels: int) -> Changed:
    rng, shape = np.random.default_rng(0), SHAPES[images]
    image = rng.gamma(2, 2, shape if channels == 1 else (*shape, channels)).astype(np.float32)
    label = (rng.random(shape) < 0.3).astype(np.uint8)
    return Changed(image, label, (image.copy(), label.copy()))


@when("each perturbation changes them at its stated levels")
def change_all(changed: Changed) -> None:
    for name, perturbation in PERTURBATIONS.items():
        for level in perturbation.levels:
            changed.scenes[name, level] = changed.change(name, level)


@then("the image keeps its axes and channels, and what was given is unchanged")
def axes_stay(changed: Changed) -> None:
    assert len(changed.scenes) == 27
    for scene in changed.scenes.values():
        assert scene.image.ndim == changed.image.ndim
        assert scene.image.shape[changed.label.ndim :] == changed.image.shape[changed.label.ndim :]
        assert np.isfinite(scene.image).all()
        assert not np.array_equal(scene.image, changed.image)
    assert np.array_equal(changed.image, changed.before[0])
    assert np.array_equal(changed.label, changed.before[1])


@then("the same seed gives the same image")
def repeatable(changed: Changed) -> None:
    for (name, level), scene in changed.scenes.items():
        again = changed.change(name, level)
        assert np.array_equal(scene.image, again.image)
        assert np.array_equal(scene.label, again.label)


@given(
    parsers.parse(
        "a model whose mean Dice falls from 0.9 without a change to {first:f} at level 1 and {second:f} at level 2"
    ),
    target_fixture="curve",
)
def one_class(first: float, second: float) -> dict[str, tuple[float, ...]]:
    return {"vessel": (0.9, first, second)}


@given(
    parsers.parse('two classes of which "{falls}" falls from 0.9 to 0.5 at level 1 and "{stays}" stays'),
    target_fixture="curve",
)
def two_classes(falls: str, stays: str) -> dict[str, tuple[float, ...]]:
    return {stays: (0.9, 0.9), falls: (0.9, 0.5)}


@when("a mean Dice of at least 0.8 is required", target_fixture="record")
def required(curve: dict[str, tuple[float, ...]]) -> RobustnessRecord:
    return along(curve, Criterion(measure="dice", at_least=0.8))


@then("the criterion fails at none of the levels")
def fails_never(record: RobustnessRecord) -> None:
    (found,) = record.breakpoints
    assert (found.outcome, found.at, found.between) == ("never", None, None)


@then(parsers.parse("the criterion fails from level {at:g}, between levels {low:g} and {high:g}"))
def fails_between(record: RobustnessRecord, at: float, low: float, high: float) -> None:
    (found,) = record.breakpoints
    assert found.at == pytest.approx(at, abs=0.005)
    assert found.between == (low, high)


@then(parsers.parse('the criterion fails from level {at:f} for "{name}"'))
def fails_for(record: RobustnessRecord, at: float, name: str) -> None:
    (found,) = record.breakpoints
    assert found.at == pytest.approx(at)
    assert found.of_class == name


@dataclass
class Story:
    """A project, and what was measured in it."""

    project: ProjectFolder
    before: str
    done: Finished | None = None

    @property
    def folder(self) -> Path:
        return self.project.workspace.evaluation / "robustness" / "calibration"

    @property
    def record(self) -> RobustnessRecord:
        return RobustnessRecord.model_validate_json((self.folder / "robustness.json").read_text(encoding="utf-8"))

    @property
    def checkpoint(self) -> str:
        with open_reader(self.project.workspace.root) as reader:
            return reader.log.checkpoint()


@given("a project with a sealed test part and an exported model", target_fixture="story")
def story_of(sealed_project: ProjectFolder, tmp_path: Path) -> Story:
    made = Story(sealed_project.copy_to(tmp_path / "project"), "")
    made.before = made.checkpoint
    return made


@when(parsers.parse('"minivess {command}" is run'))
def run(story: Story, command: str) -> None:
    story.done = run_here(*command.split(), folder=story.project.workspace.root)
    assert story.done.code == 0, story.done.err


@then("the record names the exported model, the split and the calibration part")
def names(story: Story) -> None:
    facts = story.record.facts
    assert facts.model == model_of(story.project.workspace)
    assert facts.data == split_of(story.project.workspace).root
    assert facts.part == "calibration"


@then("the cases are those of the calibration part")
def cases(story: Story) -> None:
    assert story.record.cases == split_of(story.project.workspace).calibration
    assert [curve.perturbation.name for curve in story.record.curves] == ["noise", "finer"]


@then("its figures follow from its counts")
def follows(story: Story) -> None:
    assert recomputed(story.record) == story.record
    dice = story.record.unchanged.classes["foreground"].aggregates["dice"].mean
    noisy = story.record.curves[0].levels[-1].classes["foreground"].aggregates["dice"].mean
    assert noisy < dice


@then("the page states where each criterion fails, and that the figures are not those of the test set")
def page(story: Story) -> None:
    text = (story.folder / "robustness.html").read_text(encoding="utf-8")
    assert "not of the sealed test set" in text
    assert "Dice, mean at least 0.1" in text
    assert text.count("at all levels") >= 2
    assert story.done is not None
    assert "not of the sealed test set" in story.done.err


@then("the log is as it was")
def log_unchanged(story: Story) -> None:
    assert story.checkpoint == story.before


def state_share(project: ProjectFolder, share: str) -> None:
    path = project.workspace.project_file
    text = re.sub(r"^training:.*$", TRAINING.format(share=share), path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")


@given(parsers.parse("a project whose members left out {share} of the groups for validation"), target_fixture="story")
def trained_with(sealed_project: ProjectFolder, tmp_path: Path, share: str) -> Story:
    project = sealed_project.copy_to(tmp_path / "project")
    state_share(project, share)
    add_toy_training(project, procedure=2)
    return Story(project, "")


@when(parsers.parse("the project file states a share of {share}"))
def stated(story: Story, share: str) -> None:
    state_share(story.project, share)


@then(parsers.parse("the validation part has {count:d} cases"))
def left_out(story: Story, count: int) -> None:
    with open_reader(story.project.workspace.root) as reader:
        inputs = BoundInputs.of(reader)
        if count:
            names = open_cases.open_names(reader, inputs, "validation")
            assert len(names) == count
            assert set(names) < set(split_of(story.project.workspace).train)
        else:
            with pytest.raises(UsageError, match="no case is validated on"):
                open_cases.open_names(reader, inputs, "validation")


@when(parsers.parse('robustness is asked for on the part "{part}"'), target_fixture="refusal")
def asked(story: Story, part: str) -> UsageError:
    with open_reader(story.project.workspace.root) as reader, pytest.raises(UsageError) as refused:
        robustness.measure(reader, part=part)
    return refused.value


@then(parsers.parse('it is refused because "{reason}"'))
def refused_because(refusal: UsageError, reason: str) -> None:
    assert reason in refusal.message
