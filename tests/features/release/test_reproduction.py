"""Steps of features/reproduction.feature."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, scenarios, then, when

from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.proofs.archive import write_archive
from minivess.foundation.digests import digest_bytes
from minivess.records.changes.difference import ComparedRelease
from minivess.records.changes.reproduction import Reproduction, SideBySide
from minivess.records.device.workspace_files import ENSEMBLE
from minivess.records.models.model import RunRecord
from minivess.records.models.training import TrainingSpec
from minivess.records.models.training_run import Circumstances, RunPart
from minivess.workflows.models import ensembles
from minivess.workflows.session.project_file import load_project
from tests.support.builders.layout2_pack import small_pack
from tests.support.command_line import Finished, run_here
from tests.support.lazy_modules import lazily
from tests.support.projects import ProjectFolder

with lazily(
    "minivess.workflows.models.training",
    "minivess.workflows.release.reproduction.made_again",
    "minivess.workflows.release.reproduction.reproduce",
    "minivess.workflows.release.reproduction.environment",
):
    from minivess.workflows.models import training
    from minivess.workflows.release.reproduction import environment, made_again, reproduce

scenarios("reproduction.feature")

MEMBER, RESULTS = "data/models/members/seed-0.json", "data/verification/results.json"
PLACES = {
    "data/datasets/manifest.json": "data/manifest.json",
    "data/datasets/split.json": "data/split.json",
    "data/models/ensemble.json": ENSEMBLE,
    MEMBER: "models/members/seed-0/run.json",
}


@dataclass
class Story:
    project: ProjectFolder
    files: dict[str, bytes]
    out: Path
    seed: int = 3
    made: Any = None
    told: Finished | None = None
    extra: list[str] = field(default_factory=list)

    def remade(self) -> Any:
        root = self.project.workspace.root
        plan = load_project(root)
        if self.seed != 3:
            assert plan.data.synthetic is not None
            synthetic = plan.data.synthetic.model_copy(update={"seed": self.seed})
            plan = plan.model_copy(update={"data": plan.data.model_copy(update={"synthetic": synthetic})})
        return made_again.Remade(PackedRelease(self.files, (), None, None), plan, root, self.out)

    def change(self, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.files[MEMBER] = json.dumps(edit(json.loads(self.files[MEMBER]))).encode("utf-8")


@pytest.fixture(scope="module")
def trained(split_project: ProjectFolder, tmp_path_factory: pytest.TempPathFactory) -> ProjectFolder:
    """A project whose only member was trained for 2 steps, made once for all scenarios."""
    project = split_project.copy_to(tmp_path_factory.mktemp("trained") / "project")
    file = project.workspace.project_file
    text = file.read_text(encoding="utf-8")
    text = text.replace(
        "{architecture: segresnet, filters: 8, patch: [16, 32, 32]}",
        "{architecture: unet, filters: 4, patch: [16, 32, 32]}",
    )
    file.write_text(text.replace("{members: [0], steps: 1}", "{members: [0], steps: 2, batch: 1}"), encoding="utf-8")
    from minivess.workflows.data import sealing

    with project.services() as services:
        sealing.seal(services, project.signers["ada"])
        training.train(services, project.signers["ada"])
        ensembles.combine(services, project.signers["ada"])
    return project


@given("a project with a member that was trained for 2 steps, and what a pack has of it", target_fixture="story")
def _(trained: ProjectFolder, tmp_path: Path) -> Story:
    root = trained.workspace.root
    files = {name: (root / place).read_bytes() for name, place in PLACES.items()}
    return Story(trained, files | {RESULTS: small_pack().files[RESULTS]}, tmp_path / "made")


@given("a project with cases, and what a pack has of it", target_fixture="story")
def _(split_project: ProjectFolder, tmp_path: Path) -> Story:
    import torch

    root, plan = split_project.workspace.root, load_project(split_project.workspace.root)
    files = {name: (root / place).read_bytes() for name, place in PLACES.items() if (root / place).is_file()}
    where = Circumstances(
        device="cpu", threads=torch.get_num_threads(), memory_format="contiguous", torch=str(torch.__version__)
    )
    run = RunRecord(
        seed=0,
        model=plan.model,
        training=plan.training,
        data=digest_bytes(b"cases"),
        weights=digest_bytes(b"weights"),
        steps=1,
        final_loss=0.5,
        device="cpu",
        seconds=0.1,
        procedure=2,
        parts=(RunPart(first_step=1, last_step=1, where=where, seconds=0.1),),
    )
    files |= {MEMBER: run.model_dump_json().encode("utf-8"), RESULTS: small_pack().files[RESULTS]}
    return Story(split_project, files, tmp_path / "made")


@given("the pack states 3 steps")
def _(story: Story) -> None:
    story.change(lambda run: run | {"training": run["training"] | {"steps": 3}})


@given("the data were made with another seed")
def _(story: Story) -> None:
    story.seed = 4


@given("the member of the pack started from other weights")
def _(story: Story) -> None:
    start = {"weights": digest_bytes(b"foreign"), "trained_on": {"status": "unknown"}}
    story.change(lambda run: run | {"start": start})


@when("its cases are read and its member is trained again elsewhere")
def _(story: Story) -> None:
    story.made = reproduce.train_again(story.remade())


@then("cases, training cases and weights are equal")
def _(story: Story) -> None:
    names = [one.name for one in story.made.results]
    assert names == ["cases", "training cases of seed 0", "weights of seed 0"]
    assert all(one.equal for one in story.made.results), story.made.results
    assert not story.made.not_done
    packed = RunRecord.model_validate_json(story.files[MEMBER])
    assert story.made.results[-1].now == packed.weights
    assert (story.out / "members" / "seed-0" / "run.json").is_file()


@then("the weights are others, and the cases are equal")
def _(story: Story) -> None:
    assert {one.name: one.equal for one in story.made.results} == {
        "cases": True,
        "training cases of seed 0": True,
        "weights of seed 0": False,
    }


@then("the cases that differ are named, and no member was trained")
def _(story: Story) -> None:
    assert [one.name for one in story.made.results] == [f"case mouse-{place}" for place in range(1, 6)] or all(
        one.name.startswith("case ") and not one.equal for one in story.made.results
    )
    assert story.made.not_done == ("training: the cases are others",)
    assert not (story.out / "members").exists()


@then("the member is not made again, with the reason")
def _(story: Story) -> None:
    assert story.made.not_done == ("member of seed 0: it started from weights that are not in the pack",)


@then("PyTorch, threads and device of the pack are compared with those of now")
def _(story: Story) -> None:
    remade = story.remade()
    found = {one.name: one for one in environment.circumstances_of(remade.release, remade.runs, story.out)}
    assert {"Python", "PyTorch of seed 0", "threads of seed 0", "device of seed 0"} <= set(found)
    assert found["PyTorch of seed 0"].equal
    assert found["device of seed 0"].equal
    changed = replace(
        remade.release, files={**story.files, MEMBER: story.files[MEMBER].replace(b'"torch":"', b'"torch":"0.')}
    )
    runs = (RunRecord.model_validate_json(changed.files[MEMBER]),)
    other = {one.name: one for one in environment.circumstances_of(changed, runs, story.out)}
    assert not other["PyTorch of seed 0"].equal


@given("a pack with a changed file", target_fixture="changed")
def _(tmp_path: Path) -> Path:
    files = dict(small_pack().signed())
    files["data/models/model.onnx"] = b"other"
    path = tmp_path / "pack.zip"
    path.write_bytes(write_archive(files))
    return path


@when("it is reproduced at the command line", target_fixture="told")
def _(changed: Path) -> Finished:
    return run_here("release", "reproduce", changed.name, "--data", ".", folder=changed.parent)


@then("it is refused because of the file")
def _(told: Finished) -> None:
    assert told.code == 1
    assert "the pack does not hold: bag: data/models/model.onnx" in told.err


@pytest.mark.verifies("REQ-577")
def test_the_layout_of_memory_is_that_of_the_run() -> None:
    """`auto` measures which layout is faster, and another layout gives other weights."""
    where = Circumstances(device="cpu", threads=1, memory_format="contiguous", torch="2.15.0")
    training = TrainingSpec(steps=7)
    assert training.memory_format == "auto"
    for layout in ("contiguous", "channels-last"):
        made = made_again.as_recorded(training, where.model_copy(update={"memory_format": layout}))
        assert made == training.model_copy(update={"memory_format": layout})


def _judged(*results: SideBySide, not_done: tuple[str, ...] = ()) -> str:
    release = ComparedRelease(device="d", version="1", model=None, commit=None, log="l", entries=1)
    return Reproduction(release=release, circumstances=(), results=results, not_done=not_done, seconds=1).verdict


def test_equal_means_that_everything_was_made_again_and_is_the_same() -> None:
    same, other = SideBySide(name="weights", packed="a", now="a"), SideBySide(name="weights", packed="a", now="b")
    assert _judged(same) == "equal"
    assert _judged(same, other) == "different"
    assert _judged(same, not_done=("evaluation",)) == "not reproduced"
    assert _judged() == "not reproduced"
    assert _judged(SideBySide(name="case mouse-1", packed="a", now="b"), other) == "not reproduced"
