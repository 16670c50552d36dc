"""Steps of features/explanations.feature."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.ml.explain import section
from minivess.records.evaluation.explanations import FORMAT, Attribution, ExplanationRecord, SanityCheck
from minivess.records.models.networks import specifications
from minivess.records.models.preprocessing import Preprocessing
from minivess.records.models.task import SegmentationTask
from minivess.workflows.session.services import open_reader
from minivess.workflows.session.workspace_files import manifest_of, split_of
from tests.support.command_line import Finished, run_here
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder

with lazily(
    "minivess.ml.explain.explanation",
    "minivess.ml.explain.sanity",
    "minivess.ml.inference.predictor",
    "tests.support.builders.tiny_training",
    "tests.support.tiny_networks",
):
    from minivess.ml.explain import explanation, sanity
    from minivess.ml.inference import predictor
    from tests.support import tiny_networks
    from tests.support.builders import tiny_training

if TYPE_CHECKING:
    import torch

scenarios("explanations.feature")

DIGEST = f"sha256:{'0' * 64}"
PATCHES = {"volumes": (10, 16, 16), "pictures": (24, 32)}
EDGES = np.abs(np.random.default_rng(0).normal(0, 1, (20, 20))).astype(np.float32)


@dataclass
class Bench:
    """A trained network and what is explained of it."""

    task: SegmentationTask
    patch: tuple[int, ...]
    found: explanation.Explanation | None = None
    line: NDArray[np.bool_] | None = None


@given(
    parsers.parse("a network that was trained to find blobs beside bright lines in {images}"), target_fixture="bench"
)
def bench_of(images: str) -> Bench:
    return Bench(SegmentationTask(axes="zyx" if images == "volumes" else "yx"), PATCHES[images])


@when("its mask of a new image is explained")
def explain(bench: Bench) -> None:
    task, spec = bench.task, tiny_networks.TinySpec(patch=bench.patch)
    network = tiny_training.trained(spec, task)
    member = predictor.NetworkPredictor(network, spec, "cpu", task=task, preprocessing=Preprocessing.of(task))
    image, _, bench.line = tiny_training.blobs(999, bench.patch)
    bench.found = explanation.explain(
        member, lambda seed: tiny_networks.ADAPTER.build(spec, task, seed=seed), image, None, number=1
    )


@then("the blobs raise the score more than the lines")
def blobs_raise(bench: Bench) -> None:
    assert bench.found is not None
    assert bench.line is not None
    raised = np.clip(bench.found.maps["integrated-gradients"], 0, None)
    assert raised[bench.found.chosen.mask].mean() > 5 * raised[bench.line & ~bench.found.chosen.mask].mean()


@then("the attributions add up to the change of the score within 5 %")
def complete(bench: Bench) -> None:
    assert bench.found is not None
    missing = bench.found.attributions[0].completeness
    assert missing is not None
    assert missing <= 0.05


@then("integrated gradients pass the sanity check")
def passes(bench: Bench) -> None:
    assert bench.found is not None
    check = bench.found.attributions[0].check
    assert len(check.correlations) == len(check.absolute) == 3
    assert check.correlation <= 0.2
    assert check.passed


@given("a method that draws the edges of the image", target_fixture="edges")
def edges() -> NDArray[np.float32]:
    return EDGES


@when("it is compared with networks with random weights", target_fixture="check")
def compared(edges: NDArray[np.float32]) -> SanityCheck:
    task, spec = SegmentationTask(axes="yx"), tiny_networks.TinySpec(patch=(20, 20))

    def method(network: torch.nn.Module) -> NDArray[np.float32]:
        return edges

    networks = {seed: tiny_networks.ADAPTER.build(spec, task, seed=seed) for seed in (1, 2)}
    return sanity.randomisation_check(edges, method, networks, signed=False)


@then("the rank correlation is 1, and the check fails")
def fails(check: SanityCheck) -> None:
    assert check.correlation == pytest.approx(1)
    assert not check.passed


@given("an explanation of which one method passed its sanity check and one failed", target_fixture="explained_case")
def explained_case() -> ExplanationRecord:
    checks = {
        "integrated-gradients": SanityCheck(seeds=(1, 2), correlations=(0.12, -0.08), absolute=(0.3, 0.4)),
        "grad-cam++": SanityCheck(seeds=(1, 2), correlations=(0.5, -0.7)),
    }
    return ExplanationRecord(
        format=FORMAT,
        model=DIGEST,
        member=0,
        weights=DIGEST,
        case="case-1",
        part="calibration",
        image=DIGEST,
        of_class="<vessel>",
        start=(0, 0),
        patch=(24, 32),
        voxels=40,
        attributions=tuple(
            Attribution(method=name, made="a layer", completeness=0.034 if check.absolute else None, check=check)
            for name, check in checks.items()
        ),
        libraries={"captum": "0.9.0"},
    )


@when("its section is made", target_fixture="text")
def section_of(explained_case: ExplanationRecord) -> str:
    return section.explanation_section(explained_case, b"\x89PNG picture")


@then("it has the picture, both rank correlations, and says which map is not to be used")
def has_all(text: str) -> None:
    assert base64.b64encode(b"\x89PNG picture").decode() in text
    assert "&lt;vessel&gt;" in text
    passed, failed = re.findall(r"<tr><th.*?</tr>", text)[1:]
    assert "0.10" in passed
    assert "3.4 % of the change" in passed
    assert "depends on the network" in passed
    assert "0.60" in failed
    assert "failed: do not use the map" in failed


@dataclass
class Story:
    """A project and what was run in it."""

    project: ProjectFolder
    before: str
    done: Finished | None = None
    case: str = ""

    @property
    def checkpoint(self) -> str:
        with open_reader(self.project.workspace.root) as reader:
            return reader.log.checkpoint()


@given("a project with an ensemble of one small network", target_fixture="story")
def story_of(sealed_project: ProjectFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    site = tmp_path / "site"
    site.mkdir()
    tiny_training.install(site)
    monkeypatch.syspath_prepend(site)
    specifications.foreign_adapter.cache_clear()
    story = Story(sealed_project.copy_to(tmp_path / "project"), "")
    tiny_training.add_tiny_ensemble(story.project)
    story.before = story.checkpoint
    yield story
    specifications.foreign_adapter.cache_clear()


@when(parsers.parse('"minivess model explain" is run on a {part} case'))
def run(story: Story, part: str) -> None:
    split = split_of(story.project.workspace)
    story.case = {"calibration": split.calibration, "test": split.test, "training": split.train}[part][0]
    story.done = run_here("model", "explain", story.case, folder=story.project.workspace.root)


@then("the record names ensemble, member, case and image, and has two methods with their rank correlations")
def recorded(story: Story) -> None:
    assert story.done is not None
    assert story.done.code == 0, story.done.err
    folder = story.project.workspace.evaluation / "explanations"
    (path,) = folder.glob("*.json")
    record = ExplanationRecord.model_validate_json(path.read_text(encoding="utf-8"))
    case = next(one for one in manifest_of(story.project.workspace).cases if one.id == story.case)
    assert (record.case, record.part, record.image, record.member) == (case.id, "calibration", case.image, 0)
    assert record.weights != record.model
    assert [one.method for one in record.attributions] == ["integrated-gradients", "grad-cam++"]
    assert all(len(one.check.correlations) == 3 for one in record.attributions)
    assert set(record.libraries) == {"captum", "torch", "numpy"}
    for one in record.attributions:
        assert f"{one.check.correlation:.2f}" in story.done.out


@then("the rank correlations are printed, and there is a picture")
def printed(story: Story) -> None:
    assert story.done is not None
    assert "rank correlation" in story.done.out
    (path,) = (story.project.workspace.evaluation / "explanations").glob("*.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.name in story.done.err


@then("the log is as it was")
def log_unchanged(story: Story) -> None:
    assert story.checkpoint == story.before


@then(parsers.parse('it is refused because "{reason}"'))
def refused_because(story: Story, reason: str) -> None:
    assert story.done is not None
    assert story.done.code == 1
    assert reason in story.done.err
    assert story.case in story.done.err
