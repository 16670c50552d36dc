"""Steps of features/plan.feature."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.reading.yaml_edits import set_values
from minivess.ml.planning import memory as memory_module
from minivess.ml.planning.fingerprint import DataFingerprint, fingerprint
from minivess.ml.planning.memory import memory_at_hand, training_memory
from minivess.ml.planning.proposal import Settings, propose
from minivess.ml.quality.survey import survey
from minivess.records.data.dataset import LabelClass
from minivess.records.lengths import spacing_text
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.networks.segresnet import SegResNetSpec
from minivess.records.models.plan import MemoryAtHand, Plan, PlannedLine
from minivess.records.models.preprocessing import PreprocessingChoice
from minivess.records.models.task import SegmentationTask
from minivess.records.models.training import Augmentation, TrainingSpec
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.workspace_files import split_of
from tests.support.builders.prepared_sets import manifest, picture, put
from tests.support.command_line import Finished, run_here
from tests.support.projects import ProjectFolder
from tests.support.specifications import read_specification

scenarios("plan.feature")

MEMORY = ("--memory", "2GB")

Body = tuple[np.ndarray, np.ndarray]
"""An image and its mask."""


@dataclass
class Planned:
    """A project with its plans."""

    project: ProjectFolder
    plans: list[Plan] = field(default_factory=list)
    before: str = ""
    shown: Finished | None = None

    @property
    def root(self) -> Path:
        return self.project.workspace.root

    @property
    def text(self) -> str:
        return self.project.workspace.project_file.read_text(encoding="utf-8")

    def plan(self, *options: str) -> None:
        done = run_here("plan", "--json", *MEMORY, *options, folder=self.root)
        assert done.code == 0, done.err
        self.plans.append(Plan.model_validate_json(done.out))

    def line(self, place: str) -> PlannedLine:
        return next(one for one in self.plans[-1].lines if one.place == place)


@given("a project whose cases are split", target_fixture="planned")
def split(split_project: ProjectFolder, tmp_path: Path) -> Planned:
    return Planned(split_project.copy_to(tmp_path / "project"))


@given("its project file leaves out flips")
def without_flips(planned: Planned) -> None:
    file = planned.project.workspace.project_file
    file.write_text(set_values(planned.text, {"training.augmentation": "{without: [flips]}"}), encoding="utf-8")


@then("flips are still left out")
def still_without(planned: Planned) -> None:
    assert planned.line("training.augmentation.strength").state == "proposed"
    assert load_project(planned.root).training.augmentation.without == ("flips",)


@given("its project file states a patch of 16, 32 and 32 voxels")
def states(planned: Planned) -> None:
    assert "patch: [16, 32, 32]" in planned.text


@when("a plan is made with 2 GB of memory")
def make(planned: Planned) -> None:
    planned.plan()


@when("a plan is made that replaces what is stated")
def make_all(planned: Planned) -> None:
    planned.plan("--replace")


@then("each of its lines has a value and a reason, and fits 80 columns")
def readable(planned: Planned) -> None:
    shown = run_here("plan", *MEMORY, folder=planned.root)
    assert max(map(len, shown.out.splitlines())) <= 80
    for line in planned.plans[-1].lines:
        assert f"{line.place}: {line.text}" in shown.out
        assert f"    {line.reason}\n" in shown.out
    places = {line.place for line in planned.plans[-1].lines}
    assert places >= {
        "preprocessing.spacing", "preprocessing.normalisation", "model.patch", "model.levels", "model.filters",
        "training.batch", "training.steps", "training.augmentation", "dice", "cldice", "nsd",
    }  # fmt: skip


@when("the images of the other parts are removed, and a plan is made again")
def without_others(planned: Planned) -> None:
    split = split_of(planned.project.workspace)
    for case in (*split.calibration, *split.test):
        shutil.rmtree(planned.project.workspace.prepared / case)
    planned.project.workspace.measures.unlink(missing_ok=True)
    planned.plan()


@then("it is the same plan")
def the_same(planned: Planned) -> None:
    first, second = planned.plans
    assert first == second


@then("the patch is kept, and the patch of a plan alone is named")
def kept(planned: Planned) -> None:
    patch = planned.line("model.patch")
    assert (patch.state, patch.value) == ("kept", (16, 32, 32))
    assert patch.instead == (16, 48, 48)


@then("the batch is planned for the kept patch")
def batch(planned: Planned) -> None:
    found = planned.line("training.batch")
    assert found.state == "proposed"
    assert isinstance(found.value, int)
    levels = planned.line("model.levels").value
    spec = read_specification({"architecture": "segresnet", "patch": [16, 32, 32], "filters": 8, "levels": levels})
    assert planned.plans[-1].predicted == training_memory(spec, SegmentationTask(), found.value)


@then("the patch is planned, and the stated one is named")
def replaced(planned: Planned) -> None:
    patch = planned.line("model.patch")
    assert (patch.state, patch.value, patch.instead) == ("proposed", (16, 48, 48), (16, 32, 32))


@given(
    parsers.parse(
        "a {network} of {levels:d} levels and {filters:d} filters with a patch of {patch} and a batch of {batch:d}"
    ),
    target_fixture="training",
)
def a_network(network: str, levels: int, filters: int, patch: str, batch: int) -> tuple[NetworkSpec, int]:
    sides = [int(side) for side in patch.split("x")]
    said = {"architecture": network, "levels": levels, "filters": filters, "patch": sides}
    return read_specification(said), batch


@when("its memory in training is predicted", target_fixture="memory")
def predict(training: tuple[NetworkSpec, int]) -> int | None:
    spec, batch = training
    return training_memory(spec, SegmentationTask(axes="zyx" if len(spec.patch) == 3 else "yx"), batch)


@then(parsers.parse("it is at most 25 % away from the {measured:d} MB that were measured"))
def near(memory: int | None, measured: int) -> None:
    assert memory == pytest.approx(measured * 1e6, rel=0.25)


@when(parsers.parse('"minivess {command}" is run'))
def run(planned: Planned, command: str) -> None:
    planned.before = planned.text
    planned.plan()
    planned.shown = run_here(*command.split(), folder=planned.root)
    assert planned.shown.code == 0, planned.shown.err


@then("the project file has the proposed values")
def written(planned: Planned) -> None:
    project = load_project(planned.root)
    for line in planned.plans[-1].lines:
        if line.writes:
            stated = attrgetter(line.place)(project)
            if isinstance(stated, Augmentation):
                stated = stated.strength
            name = line.place.rpartition(".")[2]
            assert (spacing_text(stated) if isinstance(stated, tuple) and name == "spacing" else stated) == line.value


@then("all other characters of the project file are as before")
def others_stay(planned: Planned) -> None:
    assert planned.text != planned.before
    proposed = {line.place: line.text for line in planned.plans[-1].lines if line.writes}
    assert proposed
    assert planned.text == set_values(planned.before, proposed)
    kept = [line for line in planned.before.splitlines() if not re.match("(training|model|preprocessing):", line)]
    assert set(kept) <= set(planned.text.splitlines())


@then("the project file is unchanged")
def unchanged(planned: Planned) -> None:
    assert planned.text == planned.before
    assert planned.shown is not None
    assert "minivess.yaml is unchanged" in planned.shown.err


@given(parsers.parse('a machine whose processor states "{flags}"'), target_fixture="machine")
def a_machine(tmp_path: Path, flags: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory_module, "_gpu_memory", lambda: None)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemAvailable: 8000000 kB\n", encoding="utf-8")
    (tmp_path / "proc" / "cpuinfo").write_text(
        f"processor\t: 0\n{flags.replace(' :', chr(9) + ':')}\n\n", encoding="utf-8"
    )
    return tmp_path


@when("a plan is made for that machine", target_fixture="plan")
def plan_there(machine: Path) -> Plan:
    return _plan_there(machine)


@when("a plan is made for that machine and a project that states fp32", target_fixture="plan")
def plan_stated(machine: Path) -> Plan:
    return _plan_there(machine, stated=("training.precision",))


def _plan_there(machine: Path, stated: tuple[str, ...] = ()) -> Plan:
    found = DataFingerprint(
        task=SegmentationTask(),
        modality="MR",
        unit="um",
        cases=9,
        subjects=9,
        grids=((40, 120, 120),) * 9,
        spacings=((1, 1, 1),) * 9,
    )
    chosen = replace(_settings(TrainingSpec()), stated=stated)
    return propose(found, chosen, memory_at_hand(machine), part="all cases")


@then(parsers.parse("its precision is {precision}, and its network has {filters:d} filters"))
def planned_precision(plan: Plan, precision: str, filters: int) -> None:
    proposed = {line.place: line.value for line in plan.lines if line.writes}
    assert proposed.get("training.precision", "not planned") == precision
    assert proposed["model.filters"] == filters


@then("the precision is kept, and its network has 8 filters")
def kept_precision(plan: Plan) -> None:
    [precision] = [line for line in plan.lines if line.place == "training.precision"]
    assert (precision.state, precision.value, precision.instead) == ("kept", "fp32", "bf16")
    assert ("model.filters", 8) in {(line.place, line.value) for line in plan.lines}


@given("cases in each of which head is before tail along y", target_fixture="bodies")
def bodies() -> list[Body]:
    made = []
    for number in range(6):
        image, label = picture(number)
        label[...] = 0
        label[4 + number : 16, 8:40] = 1
        label[16 + number : 40, 8:40] = 2
        made.append((image, label))
    return made


@given("one of the cases is turned round")
def turned(bodies: list[Body]) -> None:
    image, label = bodies[3]
    bodies[3] = image[::-1].copy(), label[::-1].copy()


@when("a plan is made for them", target_fixture="plan")
def plan_bodies(bodies: list[Body], tmp_path: Path) -> Plan:
    return _plan_of(bodies, tmp_path, Augmentation())


@when("a plan is made for them without flips and quarter turns", target_fixture="plan")
def plan_without(bodies: list[Body], tmp_path: Path) -> Plan:
    return _plan_of(bodies, tmp_path, Augmentation(without=("flips", "quarter-turns")))


@then(parsers.parse("it remarks that {one} comes before {other} along {axis}, and names flips and quarter-turns"))
def remarked(plan: Plan, one: str, other: str, axis: str) -> None:
    [remark] = plan.remarks
    assert f"{one} comes before {other} along {axis} in all 6 examined cases" in remark
    assert "without flips and quarter-turns" in remark


@then("it has no remark")
def silent(plan: Plan) -> None:
    assert plan.remarks == ()


def _plan_of(bodies: list[Body], folder: Path, augmentation: Augmentation) -> Plan:
    classes = (LabelClass(value=1, name="head"), LabelClass(value=2, name="tail"))
    with tempfile.TemporaryDirectory(dir=folder) as root:
        records = [
            put(Path(root), f"case-{number}", *body, classes=classes, subject=f"subject-{number}")
            for number, body in enumerate(bodies)
        ]
        found = fingerprint(survey(manifest(records), Path(root)))
    at_hand = MemoryAtHand(size=8 << 30, device="cpu", source="this test")
    return propose(found, _settings(TrainingSpec(augmentation=augmentation)), at_hand, part="all cases")


def _settings(training: TrainingSpec) -> Settings:
    return Settings(model=SegResNetSpec(), training=training, preprocessing=PreprocessingChoice())
