"""Steps of features/label_suspects.feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.quality.suspects.cross_fitting import VoxelCase, cross_fitted
from minivess.ml.quality.suspects.ranking import ranked
from minivess.ml.quality.suspects.voxel_classifier import VoxelSample
from minivess.records.evaluation.suspects import SuspectsRecord
from minivess.workflows.session.services import open_reader
from minivess.workflows.session.workspace_files import manifest_of, model_of, split_of
from tests.support.command_line import Finished, run_here
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder

with lazily("scipy"):
    from scipy import ndimage

scenarios("label_suspects.feature")

DIGEST = f"sha256:{'0' * 64}"
SHAPES = {"volumes": (8, 28, 28), "pictures": (48, 48)}
Mask = NDArray[np.uint8]


def vessels(seed: int, shape: tuple[int, ...]) -> tuple[NDArray[np.float32], Mask]:
    rng, last = np.random.default_rng(seed), np.array(shape) - 1
    lines = np.zeros(shape, np.bool_)
    for _ in range(3):
        start, end = rng.uniform(0, last), rng.uniform(0, last)
        start[-1], end[-1] = 0, last[-1]
        for step in np.linspace(0, 1, 100):
            lines[tuple(np.rint(start + step * (end - start)).astype(int))] = True
    mask = ndimage.binary_dilation(lines, iterations=1)
    image = ndimage.gaussian_filter(mask * 8.0, 0.7) + rng.normal(0, 1.5, shape)
    return image.astype(np.float32), mask.astype(np.uint8)


def shifted(label: Mask, other: Mask) -> Mask:
    return np.roll(label, 3, axis=-2)


def dilated(label: Mask, other: Mask) -> Mask:
    return ndimage.binary_dilation(label, iterations=2).astype(np.uint8)


def part_missing(label: Mask, other: Mask) -> Mask:
    changed = label.copy()
    changed[..., : label.shape[-1] // 2] = 0
    return changed


ERRORS: dict[str, Callable[[Mask, Mask], Mask]] = {
    "shifted": shifted,
    "dilated": dilated,
    "part missing": part_missing,
    "another case's": lambda label, other: other,
    "swapped": lambda label, other: (1 - label).astype(np.uint8),
}


@dataclass
class Bench:
    """Cases, one of them wrong."""

    cases: list[VoxelCase]
    wrong: str = ""
    right: Mask | None = None
    found: SuspectsRecord | None = None


@given(
    parsers.re(r"20 (?P<images>\w+) of vessels, of which one has a mask that is (?P<wrong>.+)"), target_fixture="bench"
)
def bench_of(images: str, wrong: str) -> Bench:
    shape = SHAPES[images]
    cases = [VoxelCase(f"case-{n:02}", *vessels(n, shape), (1.0,) * len(shape)) for n in range(20)]
    right = cases[13].label
    cases[13] = cases[13]._replace(label=ERRORS[wrong](right, cases[4].label))
    return Bench(cases, "case-13", right)


@when("the cases are ranked")
def rank(bench: Bench) -> None:
    groups = {case.name: case.name for case in bench.cases}
    expected = cross_fitted(lambda: bench.cases, groups, classes=1, seed=0)
    bench.found = ranked(expected, groups=groups, classes=["vessel"], data=DIGEST, predictor="cross-fitted", seed=0)


@then("the wrong mask is in the first tenth of the list")
def first_tenth(bench: Bench) -> None:
    assert bench.found is not None
    assert bench.wrong in [one.case for one in bench.found.cases[:2]]
    assert len(bench.found.cases) == 20


@then("the region to look at is in the wrong part of the mask")
def region(bench: Bench) -> None:
    assert bench.found is not None
    assert bench.right is not None
    found = next(one.region for one in bench.found.cases if one.case == bench.wrong)
    assert found is not None
    box = tuple(slice(low, high) for low, high in zip(found.start, found.stop, strict=True))
    label = next(case.label for case in bench.cases if case.name == bench.wrong)
    assert (label[box] != bench.right[box]).any()
    assert found.labelled != found.expected
    names = ["background", "vessel"]
    assert names.index(found.labelled) in label[box]


@given("12 cases of 6 animals", target_fixture="bench")
def animals() -> Bench:
    cases = []
    for number in range(12):
        image, label = vessels(number, (12, 12))
        cases.append(VoxelCase(f"{number}", image + 1000.0 * (number // 2), label, (1.0, 1.0)))
    return Bench(cases)


@dataclass
class Remembering:
    """Learns the names of the cases, and answers with an even chance."""

    learned: list[set[str]] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def __call__(self, samples: Sequence[VoxelSample]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
        place = len(self.learned)
        self.learned.append({one.case for one in samples})

        def predict(features: NDArray[np.float32]) -> NDArray[np.float32]:
            self.asked.append(place)
            return np.full((2, *features.shape[1:]), 0.5, np.float32)

        return predict


@when("each is predicted by a classifier that remembers what it learned", target_fixture="learned")
def remembered(bench: Bench) -> dict[str, set[str]]:
    """The animals that the classifier of each case has learned from, by case."""
    learner = Remembering()
    groups = {case.name: f"animal-{int(case.name) // 2}" for case in bench.cases}
    order = [one.name for one in cross_fitted(lambda: bench.cases, groups, classes=1, seed=0, learn=learner)]
    return {
        name: {groups[case] for case in learner.learned[asked]}
        for name, asked in zip(order, learner.asked, strict=True)
    }


@then("no classifier has learned from the animal of the case")
def apart(learned: dict[str, set[str]]) -> None:
    assert len(learned) == 12
    for name, animals_seen in learned.items():
        assert f"animal-{int(name) // 2}" not in animals_seen
        assert len(animals_seen) >= 4


@dataclass
class Story:
    """A project and its list."""

    project: ProjectFolder
    before: str = ""
    done: Finished | None = None

    @property
    def record(self) -> SuspectsRecord:
        text = (self.project.workspace.data / "suspects.json").read_text(encoding="utf-8")
        return SuspectsRecord.model_validate_json(text)

    @property
    def page(self) -> str:
        return (self.project.workspace.data / "suspects.html").read_text(encoding="utf-8")

    @property
    def checkpoint(self) -> str:
        with open_reader(self.project.workspace.root) as reader:
            return reader.log.checkpoint()

    @property
    def names(self) -> set[str]:
        return {one.case for one in self.record.cases}


def story_of(project: ProjectFolder, folder: Path) -> Story:
    story = Story(project.copy_to(folder / "project"))
    story.before = story.checkpoint
    return story


@given("a project whose cases are read", target_fixture="story")
def read(ingested_project: ProjectFolder, tmp_path: Path) -> Story:
    return story_of(ingested_project, tmp_path)


@given("a project with a sealed test part and an exported model", target_fixture="story")
def sealed(sealed_project: ProjectFolder, tmp_path: Path) -> Story:
    return story_of(sealed_project, tmp_path)


@when(parsers.parse('"minivess {command}" is run'))
def run(story: Story, command: str) -> None:
    story.done = run_here(*command.split(), folder=story.project.workspace.root)
    assert story.done.code == 0, story.done.err


@then("the list has all cases, and the page has no pictures")
def all_cases(story: Story) -> None:
    assert story.names == {case.id for case in manifest_of(story.project.workspace).cases}
    assert "<img" not in story.page
    assert "no pictures before the cases are split" in story.page
    assert story.done is not None
    assert story.record.cases[0].case in story.done.out


@then("the list has the cases of the training and calibration parts, and the page has pictures")
def open_parts(story: Story) -> None:
    split = split_of(story.project.workspace)
    assert story.names == {*split.train, *split.calibration}
    assert story.page.count("<img") == len(story.names)
    assert not [name for name in split.test if name in story.page]


@then("the list has the cases of the calibration part, and names the exported model")
def by_model(story: Story) -> None:
    assert story.names == set(split_of(story.project.workspace).calibration)
    assert story.record.model == model_of(story.project.workspace)
    assert story.record.model in story.page


@then("the log is as it was")
def log_unchanged(story: Story) -> None:
    assert story.checkpoint == story.before
