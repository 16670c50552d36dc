"""Steps of class_figures.feature: evaluations, packs, criteria and baselines of several classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.compliance.pack import pack
from minivess.compliance.proofs.archive import read_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release import derivation
from minivess.compliance.release.chain import JudgedChain, judge_chain
from minivess.compliance.release.facts import facts_of_release
from minivess.compliance.release.figures import check_figures
from minivess.compliance.release.gates import judge as judge_gates
from minivess.foundation.errors import InputError, VerificationError
from minivess.ml.evaluation.baseline import threshold_masks, tune_thresholds
from minivess.ml.evaluation.evaluate import evaluate
from minivess.ml.inference.answers import mask_of
from minivess.records.data.dataset import CaseRecord, LabelClass
from minivess.records.device.gate_outcomes import number_text
from minivess.records.device.project import Project
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import BaselineGate, CalibrationGate, MetricGate, ReleasePolicy
from minivess.records.device.strictness import laxer_plan, laxer_policy
from minivess.records.evaluation.acceptance_criteria import Judgement, judge
from minivess.records.evaluation.evaluation import ClassThresholds, Criterion, EvaluationRecord, IntensityThreshold
from minivess.records.evaluation.recomputation import figures_of
from minivess.records.models.task import SegmentationTask
from minivess.workflows.sealed.registration import policy_of
from tests.support.builders import release_builder
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan, evaluation_plan
from tests.support.builders.layout2_pack import small_pack
from tests.support.builders.release_builder import PROJECT, TWO_CLASSES, ReleaseLog, policy_of_release
from tests.support.projects import ProjectFolder
from tests.support.verify_script import verify

scenarios("class_figures.feature")

DIGEST = f"sha256:{'5' * 64}"
CLASSES = (LabelClass(value=3, name="cup"), LabelClass(value=8, name="disc"))
TASKS = {
    "grey volumes in micrometres": SegmentationTask(classes=CLASSES),
    "colour pictures in pixels": SegmentationTask(axes="yx", channels=3, classes=CLASSES),
}
RECORD, MANIFEST = "data/evaluation/evaluation.json", "data/datasets/manifest.json"
CALIBRATION = "data/models/calibration.json"


@dataclass
class Story:
    task: SegmentationTask = field(default_factory=SegmentationTask)
    cases: list[CaseRecord] = field(default_factory=list)
    images: dict[str, NDArray[Any]] = field(default_factory=dict)
    masks: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    asked: list[object] = field(default_factory=list)
    record: EvaluationRecord | None = None
    judgements: list[Judgement] = field(default_factory=list)
    thresholds: tuple[IntensityThreshold, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    criteria: list[Criterion] = field(default_factory=list)
    policies: list[ReleasePolicy] = field(default_factory=list)
    log: ReleaseLog | None = None
    outcomes: dict[str, Any] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def predict(self, image: NDArray[Any], spacing: object) -> NDArray[np.float32]:
        """The true class with .7, but of the third row the class before it, so that disc is wrong and cup is added."""
        self.asked.append(spacing)
        (name,) = (name for name, known in self.images.items() if known is image)
        chosen = np.searchsorted([0, 3, 8], self.masks[name])
        chosen[..., 2, :] = np.maximum(chosen[..., 2, :] - 1, 0)
        return np.moveaxis(np.where(np.eye(3)[chosen] > 0, 0.7, 0.15), -1, 0).astype(np.float32)

    def evaluate(self) -> EvaluationRecord:
        analysis = analysis_plan(bootstrap=100)
        unit = {"unit": "px" if self.task.axes == "yx" else "um"}
        plan = evaluation_plan(
            analysis.model_copy(update={"conventions": analysis.conventions.model_copy(update=unit)}),
            digest=DIGEST,
            request="r",
            cases=self.images,
            task=self.task,
            thresholds=[ClassThresholds(baseline=IntensityThreshold(threshold=0.0), conformal=0.5)] * 2,
        )
        pairs = ((case, self.images[case.id]) for case in self.cases)
        return evaluate(pairs, self.predict, self.masks.__getitem__, plan)[0]


@pytest.fixture
def story() -> Story:
    return Story()


@given(parsers.parse("two cases of {kind} and a predictor of the classes 3 cup and 8 disc"))
def _(story: Story, kind: str) -> None:
    story.task = TASKS[kind]
    flat = story.task.axes == "yx"
    grid = (8, 10) if flat else (4, 8, 10)
    for seed in range(2):
        rng, name = np.random.default_rng(seed), f"case-{seed}"
        mask = np.zeros(grid, np.uint8)
        mask[..., 1:4, 1:4], mask[..., 2:6, 5:9] = 3, 8
        story.masks[name] = mask
        story.images[name] = rng.normal(size=(*grid, 3) if flat else grid).astype(np.float32)
        story.cases.append(
            CaseRecord(
                id=name,
                subject=name,
                acquisition=name,
                axes="yxc" if flat else "zyx",
                shape=story.images[name].shape,
                spacing=(1.0,) * len(grid),
                unit="px" if flat else "um",
                modality="photography",
                image=DIGEST,
                label=DIGEST,
                source_dtype="uint8",
                label_values=(0, 3, 8),
                classes=CLASSES,
                foreground_fraction=0.2,
            )
        )


@when("the predictor is evaluated")
def _(story: Story) -> None:
    story.record = story.evaluate()


@then("the record has a row for each case and class, in the unit of its cases")
def _(story: Story) -> None:
    assert story.record is not None
    rows = {(row.case, row.of_class): row for row in story.record.cases}
    assert list(rows) == [(f"case-{n}", name) for n in range(2) for name in ("cup", "disc")]
    for (name, of_class), row in rows.items():
        value = {"cup": 3, "disc": 8}[of_class or ""]
        predicted = mask_of(story.predict(story.images[name], None), story.task) == value
        true = story.masks[name] == value
        assert row.dice == 2 * np.sum(predicted & true) / (predicted.sum() + true.sum())
        assert row.conformal is not None
        assert row.conformal.tp == np.sum(predicted & true)
        assert row.voxels == true.size
    flat = story.task.axes == "yx"
    assert story.asked[:2] == [None if flat else (1.0, 1.0, 1.0)] * 2
    assert rows["case-0", "disc"].values["hd95"] == pytest.approx(1.0, abs=0.5)


@then("the figures of a class are those of its rows alone")
def _(story: Story) -> None:
    record = story.record
    assert record is not None
    plan = analysis_plan(bootstrap=100)
    for name, figures in record.classes.items():
        alone = [row.model_copy(update={"of_class": None}) for row in record.cases if row.of_class == name]
        made = figures_of(alone, plan.conventions, seed=plan.seed, level=record.level)
        assert dict(figures) == {key: getattr(made, key) for key in type(figures).model_fields}
    dices = [row.dice for row in record.cases]
    assert record.aggregates["dice"].mean == pytest.approx(np.mean(dices))
    assert EvaluationRecord.model_validate_json(record.model_dump_json()) == record


@then("a reference with the value 5 is refused with the case, the value and the known classes")
def _(story: Story) -> None:
    story.masks["case-1"][..., 0, 0] = 5
    with pytest.raises(InputError, match=r"'case-1' holds the value 5, which is none of 0, 3 \(cup\), 8 \(disc\)"):
        story.evaluate()


@given("a pack of a model with the classes 1 artery and 2 vein")
def _(story: Story) -> None:
    story.files = dict(small_pack(task=TWO_CLASSES).files)


def _row(value: Any, case: int, of_class: int) -> Any:
    return value["cases"][2 * case + of_class]


def _overlapping(value: Any) -> None:
    """Both classes of a case have most of its voxels, each row true in itself."""
    for row in range(2, 4):
        voxels = sum(one[0] for one in value["cases"][row]["bins"])
        whole = counted_case(
            "case-01", overlap=(voxels - 1000, 0, 0), conformal=(9, voxels - 1009), voxels=voxels, distance=None
        )
        made = json.loads(canonical(whole))
        value["cases"][row].update(
            {key: made[key] for key in ("counts", "baseline", "conformal", "bins", "border_bins")}
        )


def _other_voxels(value: Any) -> None:
    _row(value, 0, 0)["bins"][0][0] += 1


FAULTS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "a better Dice of a class": (
        RECORD,
        lambda value: value["classes"]["vein"]["aggregates"]["dice"].update(mean=0.99),
    ),
    "figures of a class that has no rows": (
        RECORD,
        lambda value: value["classes"].update(capillary=value["classes"]["vein"]),
    ),
    "a case without a row of a class": (RECORD, lambda value: value["cases"].pop(1)),
    "a row twice": (RECORD, lambda value: value["cases"].append(value["cases"][1])),
    "rows with the names of other classes": (
        RECORD,
        lambda value: [row.update(of_class="capillary") for row in value["cases"] if row["of_class"] == "vein"],
    ),
    "rows of one class without its name": (
        RECORD,
        lambda value: [row.pop("of_class") for row in value["cases"] if row["of_class"] == "artery"],
    ),
    "classes of a case that overlap": (RECORD, _overlapping),
    "rows of one case with other voxels": (RECORD, _other_voxels),
    "a data set with the classes in another order": (
        MANIFEST,
        lambda value: [one.update(value=3 - one["value"]) for one in value["cases"][0]["classes"]],
    ),
    "a calibration without a class": (CALIBRATION, lambda value: value["classes"].pop("vein")),
    "a threshold of a class from too few groups": (CALIBRATION, lambda value: value.update(target_recall=0.9)),
}


@when(parsers.parse("the pack has {fault}"))
def _(story: Story, fault: str) -> None:
    name, change = FAULTS[fault]
    value = json.loads(story.files[name])
    change(value)
    story.files[name] = canonical(value)


@cache
def _judged() -> tuple[JudgedChain, Any]:
    """The chain of the true pack as the product has it, and the pack as the script has it once its log was judged."""
    pack = small_pack(task=TWO_CLASSES)
    read = verify.Pack(dict(pack.files), None)
    read.check_log()
    return judge_chain(pack.log.facts.entries)[1], read


@then(parsers.parse('both verifiers refuse it and name "{words}"'))
def _(story: Story, words: str) -> None:
    chain, read = _judged()
    with pytest.raises(VerificationError) as product:
        check_figures(story.files, chain)
    again = verify.Pack(story.files, None)
    for name in ("bodies", "leaves", "origin", "people", "standing"):
        setattr(again, name, getattr(read, name))
    again.check_layout()
    again.release.check_chain()
    with pytest.raises(verify.WrongError) as script:
        again.release.check_figures()
    assert words in product.value.message
    assert words in str(script.value)


@given("an evaluation with a good class and a bad class")
def _(story: Story) -> None:
    rows = [
        counted_case(f"c{n}", of_class=name, overlap=overlap, conformal=(sum(overlap[::2]), 0))
        for n in range(3)
        for name, overlap in (("good", (95, 5, 5)), ("bad", (70 + n, 30, 30 - n)))
    ]
    story.record = counted_evaluation(rows, analysis_plan(), model=DIGEST, data=DIGEST, request="r")


@when("criteria of every class and of the good class are judged")
def _(story: Story) -> None:
    assert story.record is not None
    every, good = (
        Criterion.model_validate({"measure": "dice", "at_least": 0.8, **named}) for named in ({}, {"of_class": "good"})
    )
    story.judgements = judge(story.record, [every, good, Criterion(measure="dice", at_least=0, of_class="other")])


@then("the criterion of every class has the value of the bad class, and the other one that of the good class")
def _(story: Story) -> None:
    assert story.record is not None
    every, good, other = story.judgements
    assert (every.value, every.met) == (story.record.classes["bad"].aggregates["dice"].mean, False)
    assert every.basis.startswith("class bad, ")
    assert (good.value, good.met) == (story.record.classes["good"].aggregates["dice"].mean, True)
    assert (other.value, other.met) == (None, False)


@then("the gates on Dice, baseline and calibration have the values of the bad class")
def _(story: Story) -> None:
    assert story.record is not None
    bad = story.record.classes["bad"]
    policy = ReleasePolicy(
        signatures=policy_of_release().signatures,
        gates=(
            MetricGate(id="dice", kind="metric", measure="dice", at_least=0.8),
            BaselineGate(id="baseline", kind="baseline", at_least=0.3),
            CalibrationGate(id="ece", kind="calibration", at_most=0.001),
        ),
    )
    found = judge_gates(policy, GateFacts.model_construct(evaluation=story.record))[:3]
    dice = bad.aggregates["dice"].mean
    assert [one.value for one in found] == [dice, dice - bad.baseline.mean, bad.ece]
    assert all("bad" in one.message and one.of == 3 for one in found)


_LIMITED = {
    "every class": {"measure": "dice", "at_least": 0.8},
    "one class": {"measure": "dice", "at_least": 0.8, "of_class": "artery"},
    "another one": {"measure": "dice", "at_least": 0.8, "of_class": "vein"},
}


@given(parsers.parse("a look at the test set under a criterion of {before}"))
@when(parsers.parse("a criterion of {before} is registered"))
def _(story: Story, before: str) -> None:
    story.criteria.append(Criterion.model_validate(_LIMITED[before]))


@then(parsers.parse("both writings of the rules call it {verdict}"))
def _(story: Story, verdict: str) -> None:
    old, new = (analysis_plan(one) for one in story.criteria)
    plain = [json.loads(canonical(plan)) for plan in (old, new)]
    script = verify.laxer(*(verify.limits_of_plan(plan) for plan in plain))
    assert bool(laxer_plan(old, new)) == bool(script) == (verdict == "laxer")
    if script:
        assert script in laxer_plan(old, new)[0]


@given("a project file with the classes 1 artery and 2 vein")
def _(story: Story) -> None:
    story.task = TWO_CLASSES


@when("a criterion names the class capillary", target_fixture="refusals")
def _(story: Story) -> list[str]:
    found = []
    for classes in ("artery-vein", "vessel"):
        synthetic = PROJECT["data"]["synthetic"] | {"classes": classes}
        plain = PROJECT | {"data": PROJECT["data"] | {"synthetic": synthetic}}
        criteria = [{"measure": "dice", "at_least": 0.8, "of_class": "capillary"}]
        with pytest.raises(ValidationError) as refused:
            Project.model_validate(plain | {"evaluation": {"criteria": criteria}})
        found.append(str(refused.value))
    return found


@then("it is refused with the class and those of the data")
def _(refusals: list[str]) -> None:
    assert "'capillary'; data.classes has: artery, vein" in refusals[0]
    assert "there is one class" in refusals[1]


@given("colour pictures with a class that is dark in green and one that is bright in blue")
def _(story: Story) -> None:
    story.task = TASKS["colour pictures in pixels"]
    for seed in range(2):
        rng, name = np.random.default_rng(seed), f"p{seed}"
        mask = np.zeros((12, 12), np.uint8)
        mask[1:5, 1:5], mask[6:11, 6:11] = 3, 8
        image = rng.normal(100, 5, size=(12, 12, 3))
        image[..., 1] -= 60 * (mask == 3)
        image[..., 2] += 60 * (mask == 8)
        story.images[name], story.masks[name] = image, mask


@when("the thresholds are tuned")
def _(story: Story) -> None:
    story.thresholds = tune_thresholds(
        [(story.images[one], story.masks[one]) for one in story.images], None, story.task
    )


@then("the first class has a dark threshold in green, and the second a bright one in blue")
def _(story: Story) -> None:
    assert [(one.channel, one.bright) for one in story.thresholds] == [(1, False), (2, True)]
    for one, value in zip(story.thresholds, (3, 8), strict=True):
        for name, image in story.images.items():
            assert np.array_equal(threshold_masks(image, [one], story.task)[0], story.masks[name] == value)


@given(
    parsers.parse(
        "a release of a model with the classes 1 artery and 2 vein, whose policy has a gate of {limit:g} on Dice of {name}"
    )
)
def _(story: Story, limit: float, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = MetricGate(id="of-class", kind="metric", measure="dice", of_class=name, at_least=limit)
    policy = policy_of_release()
    with_gate = policy.model_copy(update={"gates": (*policy.gates, gate)})
    monkeypatch.setattr(release_builder, "policy_of_release", lambda: with_gate)
    release = release_builder.make_release(tmp_path / "release", task=TWO_CLASSES)
    with monkeypatch.context() as forged:  # the pack is built although a gate fails
        for module in (pack, derivation):
            forged.setattr(module, "stopping", lambda results, **_: ())
        built = release.build(tmp_path / "pack.zip")
    story.files = dict(read_archive(built.path.read_bytes()))
    story.log = release.prepared


@when("both verifiers judge its gates")
def _(story: Story) -> None:
    assert story.log is not None
    try:
        derived = facts_of_release(story.log.facts.entries, story.files).derived
        story.outcomes = {one.id: one.model_dump(mode="json") for one in derived.outcomes}
    except VerificationError as error:
        story.refusals.append(error.message)
    read = verify.Pack(story.files, None)
    read.check_log()
    read.check_layout()
    read.release.check_chain()
    read.release.check_figures()
    try:
        read.release.check_gates()
        story.script = {one["id"]: one for one in read.release.gates}
    except verify.WrongError as error:
        story.refusals.append(str(error))


@then(parsers.parse("both pass it with the Dice of {name}"))
def _(story: Story, name: str) -> None:
    assert story.refusals == []
    record = json.loads(story.files["data/evaluation/evaluation.json"])
    value = number_text(record["classes"][name]["aggregates"]["dice"]["mean"])
    assert story.outcomes["of-class"] == story.script["of-class"]
    assert (story.outcomes["of-class"]["value"], story.outcomes["of-class"]["passed"]) == (value, True)


@then("both refuse the release, for the gate of class")
def _(story: Story) -> None:
    assert len(story.refusals) == 2
    assert all("the gate of-class fails" in one for one in story.refusals)


@given(parsers.parse("a look at the test set under a gate of {which}"))
@when(parsers.parse("a gate of {which} is registered"))
def _(story: Story, which: str) -> None:
    gate = MetricGate.model_validate({"id": "dice", "kind": "metric", **_LIMITED[which]})
    policy = policy_of_release()
    story.policies.append(
        policy.model_copy(update={"gates": (gate, *(one for one in policy.gates if one.id != "dice"))})
    )


@then(parsers.parse("both writings of the rules call the policy {verdict}"))
def _(story: Story, verdict: str) -> None:
    plain = [json.loads(canonical(policy)) for policy in story.policies]
    script = verify.laxer(*(verify.limits_of_policy(verify.fit(policy, "registered", "it")) for policy in plain))
    found = laxer_policy(*story.policies)
    assert bool(found) == bool(script) == (verdict == "laxer")
    if script:
        assert script in found[0]


@given("a project whose policy has a gate on Dice of the class capillary", target_fixture="of_policy")
def _(sealed_project: ProjectFolder, tmp_path: Path) -> ProjectFolder:
    project = sealed_project.copy_to(tmp_path / "project")
    path = project.workspace.root / "release" / "policy.yaml"
    text = release_builder.POLICY.read_text(encoding="utf-8")
    gate = "  - {id: of-class, kind: metric, measure: dice, of_class: capillary, at_least: 0.5}\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n" + gate, encoding="utf-8")
    return project


@when("the policy is read", target_fixture="refused")
def _(of_policy: ProjectFolder) -> InputError:
    with of_policy.services() as services, pytest.raises(InputError) as caught:
        policy_of(services)
    return caught.value


@then("reading is refused, for the gate names the class 'capillary'")
def _(refused: InputError) -> None:
    assert "the gate of-class names the class 'capillary'" in refused.message
    assert "there is one class" in refused.hint
