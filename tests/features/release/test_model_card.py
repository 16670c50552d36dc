"""Steps of features/model_card.feature."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.documents.documents import documents, hugging_face_of
from minivess.compliance.documents.dossier import Dossier, gather
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.proofs.archive import write_archive
from minivess.compliance.verification.pack import verify_pack
from minivess.records.device.project import Project
from minivess.records.models.model import CalibrationRecord, RunRecord
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES
from minivess.records.models.training import Augmentation, TrainingSpec
from minivess.records.models.training_run import Circumstances, RunPart
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import PROJECT, TEMPLATES, TWO_CLASSES, make_release
from tests.support.verify_script import verify

scenarios("model_card.feature")

README = "data/documents/hugging-face-README.md"

STATED = {
    "intended_users": "Pathologists with a year of training",
    "out_of_scope": "Images of living patients",
    "limitations": "Vessels under 4 µm were not marked",
    "ethics": "A missed vessel can delay a treatment",
}
WHERE = Circumstances(device="NVIDIA H200", processes=2, threads=8, memory_format="contiguous", torch="2.11.0+cu130")


@dataclass
class Story:
    folder: Path
    dossier: Dossier | None = None
    page: str = ""
    readme: str = ""

    def make(self, **changes: Any) -> Dossier:
        self.dossier = gather(make_release(self.folder / "release", **changes).inputs())
        return self.dossier

    def project(self, **changes: Any) -> None:
        known = self.dossier or self.make()
        project = Project.model_validate(PROJECT | changes)
        self.dossier = replace(known, inputs=replace(known.inputs, project=project))

    @property
    def known(self) -> Dossier:
        assert self.dossier is not None
        return self.dossier

    @property
    def text(self) -> str:
        """The page as people read it, on one line."""
        return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", self.page).split()))

    @property
    def plain(self) -> str:
        """The Markdown without the marks of escape, on one line."""
        return " ".join(re.sub(r"\\(.)", r"\1", self.readme).split())

    @property
    def metadata(self) -> dict[str, Any]:
        _, front, _ = self.readme.split("---\n", 2)
        found: dict[str, Any] = yaml.safe_load(front)
        return found


@pytest.fixture
def story(tmp_path: Path) -> Story:
    (tmp_path / "release").mkdir()
    return Story(tmp_path)


@given("a small release")
def _(story: Story) -> None:
    story.make()


@given("a small release whose seal is a later entry than the training")
def _(story: Story) -> None:
    known = story.make()
    chain = known.inputs.chain
    later = {**chain.bodies, "seal": chain.bodies["seal"].model_copy(update={"index": 999})}
    story.dossier = replace(known, inputs=replace(known.inputs, chain=replace(chain, bodies=later)))


@then("it does not state that the test part was encrypted before training")
def _(story: Story) -> None:
    assert "that were encrypted (audit log, entry 999)." in story.text
    assert "before training began" not in story.text


@given("a small release whose records are those of before")
def _(story: Story) -> None:
    story.make(contract=False)


@given("a small release whose project states users, limits and modality")
def _(story: Story) -> None:
    story.project(model_card=STATED)


@given("a small release whose cases are of two sites")
def _(story: Story) -> None:
    known = story.make()
    cases = tuple(
        row.model_copy(update={"attributes": {"site": "north" if place else "south"}})
        for place, row in enumerate(known.evaluation.cases)
    )
    story.dossier = replace(known, evaluation=known.evaluation.model_copy(update={"cases": cases}))


@then("both cards have Dice of each site with groups, mean and the reason why there is no interval")
def _(story: Story) -> None:
    south, north = story.known.evaluation.cases[0].dice, [one.dice for one in story.known.evaluation.cases[1:]]
    for text in (story.text, story.plain.replace("| ", "")):
        assert f"site: south 1 {south:.3f} too few groups" in text
        assert f"site: north 2 {sum(north) / 2:.3f} too few groups" in text
        assert "adjusted by Holm" not in text  # two groups are too few for a P value


@then("the page states that there are no subgroups")
def _(story: Story) -> None:
    assert "No attribute of the cases divides them, so there are no subgroups." in story.text


@given("a small release whose members have full records of their training")
def _(story: Story) -> None:
    known = story.make()
    part = RunPart(first_step=1, last_step=150, where=WHERE, seconds=150.0)
    training = TrainingSpec(
        loss="dice-focal", augmentation=Augmentation(strength="medium", without=("flips",)), precision="bf16"
    )
    full: dict[str, Any] = {
        "procedure": 2, "parts": (part,), "parameters": 1_234_567, "training": training, "seconds": 150.0,
    }  # fmt: skip
    runs = tuple(RunRecord.model_validate({**dict(run), **full}) for run in known.runs)
    story.dossier = replace(known, runs=runs)


@given("a small release whose calibration made the error of the border larger")
def _(story: Story) -> None:
    known = story.make()
    worse = {"ece_before": 0.03, "ece_after": 0.02, "band_ece_before": 0.02, "band_ece_after": 0.05}
    story.dossier = replace(known, calibration=CalibrationRecord.model_validate({**dict(known.calibration), **worse}))


@given("a small release with an interval that covers too little and a distance that is undefined")
def _(story: Story) -> None:
    known = story.make()
    evaluation = known.evaluation
    weak = evaluation.aggregates["nsd"].model_copy(update={"coverage": 0.86})
    story.dossier = replace(
        known, evaluation=evaluation.model_copy(update={"aggregates": {**evaluation.aggregates, "nsd": weak}})
    )
    assert evaluation.aggregates["hd95"].n == len(evaluation.tested) - 1


@given(parsers.parse("a small release of {classes}"))
def _(story: Story, classes: str) -> None:
    story.make(task=TWO_CLASSES if classes == "two classes" else ONE_CLASS_OF_VOLUMES)


@given("a small release whose project states lines of three dashes, pipes and tags")
def _(story: Story) -> None:
    story.project(model_card={**STATED, "limitations": "---\nlicense: mit\n---\n# Heading\n| a | <b>b</b> |"})


@when("its model card is made")
def _(story: Story) -> None:
    story.page = documents(Renderer(TEMPLATES), story.known)["model-card.html"]
    story.readme = hugging_face_of(story.known)


@then("it cites the entry of the seal as the one that encrypted the test part before training")
def _(story: Story) -> None:
    entries = [entry.body for entry in story.known.inputs.log.entries]
    (seal,) = (body.index for body in entries if body.action == "data.seal")
    assert seal < min(body.index for body in entries if body.action == "training")
    assert f"that were encrypted before training began (audit log, entry {seal})." in story.text


@then("it cites the entries of the approval and of the evaluation for the figures")
def _(story: Story) -> None:
    entries = [entry.body for entry in story.known.inputs.log.entries]
    approval, evaluation = (
        next(body.index for body in entries if body.action == action) for action in ("test-set.approve", "evaluation")
    )
    assert f"approved at entry {approval}, and the figures are those of entry {evaluation}." in story.text


@then("intended users, parameters and PyTorch of the training are named as missing")
def _(story: Story) -> None:
    for shown in ("Intended users not stated", "Parameters not recorded", "PyTorch of the training not recorded"):
        assert shown in story.text
        assert shown.replace(" not ", " | not ") in story.plain


@then('no row of the card is "None"')
def _(story: Story) -> None:
    assert re.findall(r"\b(None|nan)\b.{0,40}", story.text) == []
    assert re.findall(r"\b(None|nan)\b.{0,40}", story.plain) == []
    assert "two-photon microscopy, synthetic" in story.text


@then("both cards contain the statements")
def _(story: Story) -> None:
    for statement in STATED.values():
        assert statement in story.text
        assert statement in story.plain


@then("both cards have loss, augmentation, parameters, time, device, threads and PyTorch of the members")
def _(story: Story) -> None:
    for text in (story.text, story.plain.replace("| ", "").replace("\\", "")):
        for shown in (
            "Loss dice-focal, class weights equal",
            "Augmentation Strength medium, without flips",
            "Parameters 1,234,567 a member",
            "Training time 5 min (seed 0: 2 min, seed 1: 2 min)",
            "Hardware NVIDIA H200, 2 processes of 8 threads",
            "PyTorch of the training 2.11.0+cu130",
            "Libraries torch 2.11.0;",
        ):
            assert shown in text, shown
        assert "bf16" in text


@then("both cards report the error of the border before and after, and that it became larger")
def _(story: Story) -> None:
    said = "Calibration made the error larger (border): 0.020 before, 0.050 after."
    assert said in story.text
    assert said in story.plain
    assert "(all voxels)" not in story.text
    assert "Calibration made no error of the calibration part larger" not in story.text


@then("the limits name both")
def _(story: Story) -> None:
    for text in (story.text, story.plain):
        limits = text.partition("Limits")[2]
        assert "The interval of NSD covers 86 % in its simulation, for a nominal 98.33 %." in limits
        assert "HD95 (µm) is undefined in 1 case of the test set." in limits


@then("the metadata of the card for Hugging Face have each figure of the record, and the licence of the weights")
def _(story: Story) -> None:
    evaluation = story.known.evaluation
    [model] = story.metadata["model-index"]
    [result] = model["results"]
    wanted = [
        (name, interval.mean)
        for figures in evaluation.by_class.values()
        for name, interval in figures.aggregates.items()
    ]
    assert [(one["type"], one["value"]) for one in result["metrics"]] == wanted
    assert len({one["name"] for one in result["metrics"]}) == len(wanted)
    assert (model["name"], result["dataset"]["split"]) == ("vessel-segmenter", "test")
    assert story.metadata["metrics"] == ["dice", "cldice", "nsd", "hd95"]
    contract = story.known.export.model
    assert contract is not None
    assert story.metadata["license"] == contract.licences.weights.lower() == "cc0-1.0"


@then("the card for Hugging Face has the same metadata and the same headings as without them")
def _(story: Story) -> None:
    stated = story.readme
    metadata, headings = story.metadata, re.findall(r"^#.*$", stated, re.MULTILINE)
    story.project(model_card=STATED)
    story.readme = hugging_face_of(story.known)
    assert story.metadata == metadata
    assert re.findall(r"^#.*$", story.readme, re.MULTILINE) == headings
    assert "<b>" not in re.sub(r"\\<", "", stated)
    assert [line for line in stated.splitlines() if line.startswith("---")] == ["---", "---"]


@dataclass
class Judged:
    """A pack without signatures, and the checks of each verifier that it fails."""

    files: dict[str, bytes]
    folder: Path

    def failing(self) -> tuple[set[str], set[str]]:
        path = self.folder / "pack.zip"
        path.write_bytes(write_archive(self.files))
        product = {check.name for check in verify_pack(path).checks if not check.passed}
        script = {name for name, passed, _ in verify.Judgement(None).judge(dict(self.files)).checks if not passed}
        return product, script


@when("its pack is built", target_fixture="judged")
def _(story: Story) -> Judged:
    return Judged(dict(small_pack().files), story.folder)


@then("both verifiers accept the pack, and it has both cards")
def _(judged: Judged) -> None:
    product, script = judged.failing()
    assert product == script == {"release signatures"}
    assert b"</span> Use</h2>" in judged.files["data/documents/model-card.html"]
    assert judged.files[README].startswith(b"---\nlanguage:\n")


@when("the figures of the card for Hugging Face are changed in the pack")
def _(judged: Judged) -> None:
    other = re.sub(rb"value: 0\.\d+", b"value: 0.99", judged.files[README], count=1)
    assert other != judged.files[README]
    judged.files = dict(small_pack().bent({README: other}, prepared=False).files)


@then("both verifiers refuse the pack")
def _(judged: Judged) -> None:
    product, script = judged.failing()
    assert "files" in product
    assert "files" in script
