"""Steps of bound_inputs.feature: files are changed as an attacker would, digests inside them included."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import MinivessError, VerificationError
from minivess.ml.cases.manifests import root_of
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.findings import CasesRefusedError
from minivess.records.data.seal import SealManifest
from minivess.records.data.split import SplitManifest
from minivess.records.device.workspace_files import FILES, file_of
from minivess.records.log.entry import Outcome
from minivess.records.models.intended_use import IntendedUse
from minivess.workflows.data import ingestion, sealing, splits, splitting, validation
from minivess.workflows.models import calibration, ensembles, export, training
from minivess.workflows.release import build
from minivess.workflows.sealed import requests
from minivess.workflows.serving.inference import open_model
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import Services
from tests.support import projects
from tests.support.lazy_modules import lazily

with lazily("minivess.workflows.sealed.final_evaluation"):
    from minivess.workflows.sealed import final_evaluation

scenarios("bound_inputs.feature")

WATCHED: list[set[str]] = []
FINDING = {"rule": "arrays-match", "severity": "note", "case": None, "message": "put here by hand"}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHED and event == "open" and not isinstance(arguments[0], int):
        WATCHED[-1].add(os.path.realpath(os.fsdecode(arguments[0])))


@pytest.fixture(scope="module", autouse=True)
def _hook() -> None:
    sys.addaudithook(_watch)


@dataclass
class Story:
    project: projects.ProjectFolder
    request: str = ""
    error: MinivessError | None = None
    read: set[str] = field(default_factory=set)
    bounds: IntendedUse | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    refused: CasesRefusedError | None = None
    manifest: bytes = b""

    @property
    def root(self) -> Path:
        return self.project.workspace.root

    def part(self, name: str) -> list[str]:
        return list(json.loads((self.root / "data/split.json").read_text(encoding="utf-8"))[name])

    def edit(self, name: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Change a JSON file, in place of the old one."""
        path = self.root / (file_of(name).shown_in(self.root, name) if name.startswith("models/") else name)
        plain = json.loads(path.read_text(encoding="utf-8"))
        change(plain)
        path.unlink()
        path.write_text(json.dumps(plain), encoding="utf-8")

    def edit_rooted(
        self,
        name: str,
        kind: type[DatasetManifest] | type[SplitManifest] | type[SealManifest],
        change: Callable[[dict[str, Any]], object],
    ) -> None:
        """Change a manifest, and its root with it."""

        def whole(plain: dict[str, Any]) -> None:
            change(plain)
            plain["root"] = root_of(kind.model_validate(plain))

        self.edit(name, whole)

    def array(self, case: str, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
        """Change an array of a prepared case; the file keeps its size."""
        path = self.root / "data/prepared" / case / name
        array = np.load(path)
        changed = change(array).astype(array.dtype)
        assert not np.array_equal(changed, array)
        path.unlink()
        np.save(path, changed)

    def record_of(self, case: str, change: Callable[[dict[str, Any]], object]) -> None:
        self.edit(f"data/prepared/{case}/case.json", lambda plain: change(plain["record"]))

    def act(self, who: str, action: Callable[[Services, Any], object]) -> None:
        with self.project.services() as services, pytest.raises(MinivessError) as caught:
            action(services, self.project.signers[who])
        self.error = caught.value


@pytest.fixture(scope="module")
def approved(
    sealed_project: projects.ProjectFolder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[projects.ProjectFolder, str]:
    project = sealed_project.copy_to(tmp_path_factory.mktemp("approved") / "project")
    with project.services() as services:
        projects.register(project, services)
        asked = requests.request(services, project.signers["ada"], purpose="a scenario")
        requests.approve(services, project.signers["rosa"], asked.id)
    return project, asked.id


@given("an approved request to open the test set", target_fixture="story")
def _(approved: tuple[projects.ProjectFolder, str], tmp_path: Path) -> Story:
    project, request = approved
    return Story(project.copy_to(tmp_path / "project"), request)


@given("a project with validated cases", target_fixture="story")
def _(validated_project: projects.ProjectFolder, tmp_path: Path) -> Story:
    return Story(validated_project.copy_to(tmp_path / "project"))


@given("an evaluated model", target_fixture="story")
def _(releasable_project: projects.ProjectFolder, tmp_path: Path) -> Story:
    return Story(releasable_project.copy_to(tmp_path / "project"))


@given("a project whose model is served", target_fixture="story")
def _(servable_project: projects.ProjectFolder, tmp_path: Path) -> Story:
    return Story(servable_project.copy_to(tmp_path / "project"))


@given("the voxels of the test cases are made smaller in the manifest")
def _(story: Story) -> None:
    test = story.part("test")

    def shrink(plain: dict[str, Any]) -> None:
        for case in plain["cases"]:
            if case["id"] in test:
                case["spacing"] = [step / 10 for step in case["spacing"]]

    story.edit_rooted("data/manifest.json", DatasetManifest, shrink)


@given(parsers.parse("the masks of the {part} cases are emptied"))
def _(story: Story, part: str) -> None:
    for case in story.part({"training": "train"}.get(part, part)):
        story.array(case, "label.npy", np.zeros_like)


@given("an image of a calibration case is replaced by one of equal size")
def _(story: Story) -> None:
    story.array(story.part("calibration")[0], "image.npy", lambda image: image[::-1])


@given(parsers.parse("the {what} in the record of a calibration case {how} changed"))
def _(story: Story, what: str, how: str) -> None:
    changed = {"spacing": [0.1, 0.1, 0.1], "classes": [{"value": 1, "name": "wall"}], "axes": "zyx"}

    def change(record: dict[str, Any]) -> None:
        record[what] = changed[what]
        if what == "axes":
            record |= {"axes": "yx", "shape": record["shape"][1:], "spacing": record["spacing"][1:]}

    story.record_of(story.part("calibration")[0], change)


@given("a calibration case is swapped with a training case")
def _(story: Story) -> None:
    folder = story.root / "data/prepared"
    one, other = folder / story.part("calibration")[0], folder / story.part("train")[0]
    shutil.move(one, folder / "aside")
    shutil.move(other, one)
    shutil.move(folder / "aside", other)


@given("a training case becomes a calibration case in the split")
@given("the split is written anew")
def _(story: Story) -> None:
    def move(plain: dict[str, Any]) -> None:
        plain["calibration"].append(plain["train"].pop())

    story.edit_rooted("data/split.json", SplitManifest, move)


@given("the manifest of the sealed part is written anew")
def _(story: Story) -> None:
    story.edit_rooted("data/sealed/manifest.json", SealManifest, lambda plain: plain.update(salt="00" * 16))


@given("the version of the data names another split")
def _(story: Story) -> None:
    story.edit("data/version.json", lambda plain: plain.update(split=digest_bytes(b"another")))


@given("the threshold of the calibration is lowered")
def _(story: Story) -> None:
    story.edit("models/calibration.json", lambda plain: plain.update(threshold=0.1))


@given("the conformal threshold of the export is lowered")
def _(story: Story) -> None:
    story.edit("models/export.json", lambda plain: plain["model"]["conformal"].update(thresholds={"vessel": 0.1}))


@given("the model is exchanged for another valid one")
def _(story: Story) -> None:
    projects.write_toy_graph(story.project.workspace.onnx, bias=0.25)


@given("the record of a test case is changed")
def _(story: Story) -> None:
    story.manifest = (story.root / "data/manifest.json").read_bytes()
    story.record_of(story.part("test")[0], lambda record: record.update(spacing=[0.1, 0.1, 0.1]))


@given("a training run says that it was made with another configuration")
def _(story: Story) -> None:
    story.edit("models/members/seed-0/run.json", lambda plain: plain["training"].update(steps=9))


@given("the ensemble names other weights")
def _(story: Story) -> None:
    story.edit("models/ensemble.json", lambda plain: plain["members"][0].update(weights=digest_bytes(b"others")))


@given("the findings are taken out of the validation")
def _(story: Story) -> None:
    story.findings = json.loads((story.root / "data/validation.json").read_text(encoding="utf-8"))["findings"]
    story.edit("data/validation.json", lambda plain: plain.update(findings=[{**FINDING}]))


@given("the manifest names another subject")
def _(story: Story) -> None:
    story.edit_rooted("data/manifest.json", DatasetManifest, lambda plain: plain["cases"][0].update(subject="other"))


@given("a test case is changed with its record after the split")
def _(story: Story) -> None:
    with story.project.services() as services:
        made = splitting.split(services, story.project.signers["ada"])
    case = made.test[0]
    story.array(case, "image.npy", lambda image: image[::-1])
    digest = digest_bytes((story.root / "data/prepared" / case / "image.npy").read_bytes())
    story.record_of(case, lambda record: record.update(image=digest))


@given("a measure in the evaluation is improved")
def _(story: Story) -> None:
    story.edit("evidence/evaluation/evaluation.json", lambda plain: plain["aggregates"]["dice"].update(mean=0.99))


@given("the difference in the export is lowered")
def _(story: Story) -> None:
    story.edit("models/export.json", lambda plain: plain.update(max_abs_difference=1e-12))


@given("the bounds of the intended use are widened")
def _(story: Story) -> None:
    bounds = [[0.01] * 3, [100.0] * 3]
    story.edit("models/export.json", lambda plain: plain["model"]["intended_use"].update(spacing=bounds))


@given("version 0.1.0 exported the model and two prepared cases are widened")
def _(story: Story) -> None:
    projects.export_toy_model(story.project, bounds=False)
    projects.put_into_use(story.project)
    _widen(story)


@given("two prepared cases are widened")
def _(story: Story) -> None:
    _widen(story)


def _widen(story: Story) -> None:
    for case, factor in zip(story.part("train")[:2], (0.01, 100.0), strict=True):
        story.record_of(case, lambda record, by=factor: record.update(spacing=[s * by for s in record["spacing"]]))
        story.array(case, "image.npy", lambda image: np.random.default_rng(0).integers(0, 2, image.shape))


@when("Ada ingests the cases again")
def _(story: Story) -> None:
    with story.project.services() as services, pytest.raises(CasesRefusedError) as caught:
        ingestion.ingest(services, story.project.signers["ada"])
    story.refused = caught.value


@when("Ada evaluates")
def _(story: Story) -> None:
    story.act("ada", lambda services, ada: final_evaluation.run(services, ada, story.request))


STEPS: dict[str, Callable[[Services, Any], object]] = {
    "trains": training.train,
    "combines": ensembles.combine,
    "calibrates": calibration.calibrate,
    "exports": export.export,
    "checks the split for leaks": splits.leakage,
    "validates": validation.validate,
    "splits": splitting.split,
    "splits and seals": sealing.seal,
}


@when("Ada has split the cases")
def _(story: Story) -> None:
    with story.project.services() as services:
        splitting.split(services, story.project.signers["ada"])


@when(parsers.re(f"Ada (?P<step>{'|'.join(STEPS)})$"))
def _(story: Story, step: str) -> None:
    story.act("ada", STEPS[step])


@when("Max builds the release")
def _(story: Story) -> None:
    story.act("max", build.build)


@when("Ada's evaluation is watched")
def _(story: Story) -> None:
    with story.project.services() as services:
        WATCHED.append(story.read)
        try:
            final_evaluation.run(services, story.project.signers["ada"], story.request)
        finally:
            WATCHED.clear()


@when("the service is started")
def _(story: Story) -> None:
    with story.project.services() as services:
        try:
            story.bounds = open_model(services).served.intended_use
        except VerificationError as error:
            story.error = error


@then(parsers.parse('it is refused and the message names "{file}"'))
def _(story: Story, file: str) -> None:
    assert isinstance(story.error, VerificationError)
    assert file in story.error.message
    assert story.error.hint


@then(parsers.parse('the ingest is refused under the rule "{rule}", and names the case'))
def _(story: Story, rule: str) -> None:
    assert story.refused is not None
    assert [(one.rule, one.case) for one in story.refused.findings] == [(rule, story.part("test")[0])]


@then("the manifest of the cases is the one that was approved")
def _(story: Story) -> None:
    assert (story.root / "data/manifest.json").read_bytes() == story.manifest


@then(parsers.parse('the last entry says that "{who}" was refused'))
def _(story: Story, who: str) -> None:
    with story.project.services() as services:
        last = list(services.log.entries())[-1].body
    assert (last.outcome, last.actor) == (Outcome.REFUSED, who)


@then("the test set was never opened")
def _(story: Story) -> None:
    assert not (story.root / "evidence/evaluation/evaluation.json").exists()


@then("the findings are there again, in a later entry than before")
def _(story: Story) -> None:
    found = json.loads((story.root / "data/validation.json").read_text(encoding="utf-8"))["findings"]
    assert found == story.findings
    with story.project.services() as services:
        done = [one.body.action for one in services.log.entries() if one.body.outcome is Outcome.COMPLETED]
    assert done[-3:] == ["data.validate", "data.validate", "data.split"]


@then("every file of the workspace that was read is in the table, the project file, a key or a part of the log")
def _(story: Story) -> None:
    root = os.path.realpath(story.root)
    read = {Path(name).relative_to(root) for name in story.read if name.startswith(root)}
    inputs = {path for path in read if path.parts[0] in {"data", "models"} and (story.root / path).is_file()}
    assert {path for path in inputs if not any(path.match(row.place) for row in FILES if row.compared_with)} == set()
    assert {row.name for row in FILES if row.compared_with and any(path.match(row.place) for path in inputs)} >= {
        "data/manifest.json",
        "data/split.json",
        "data/prepared/*/*",
        "data/sealed/manifest.json",
        "data/sealed/*.sealed",
        "models/export.json",
        "models/model.onnx",
    }
    assert Path("models/calibration.json") not in inputs
    others = {path.parts[0] for path in read - inputs if (story.root / path).is_file()}
    assert others <= {"minivess.yaml", "minivess.settings.toml", "keystore", "evidence"}


@then("its bounds are those of the export")
def _(story: Story) -> None:
    assert story.error is None
    with story.project.services() as services:
        contract = BoundInputs.of(services).export.model
        assert contract is not None
        assert story.bounds == contract.intended_use
