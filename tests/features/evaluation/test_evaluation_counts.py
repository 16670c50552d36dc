"""Steps of evaluation_counts.feature: records of counted cases, and the check of their figures."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.recomputation import first_difference, recomputed
from tests.support import earlier, interval_by_hand
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan

scenarios("evaluation_counts.feature")

DIGEST = f"sha256:{'8' * 64}"
PLAN = analysis_plan(bootstrap=300)


def evaluation(cases: list[CaseCounts]) -> EvaluationRecord:
    return counted_evaluation(cases, PLAN, model=DIGEST, data=DIGEST, request="r", looks=2)


@dataclass
class Story:
    cases: list[CaseCounts] = field(default_factory=list)
    plain: dict[str, Any] = field(default_factory=dict)
    record: EvaluationRecord | None = None
    other: EvaluationRecord | None = None
    interval: tuple[float, float | None, float | None] | None = None

    def read(self) -> EvaluationRecord:
        self.record = EvaluationRecord.model_validate_json(json.dumps(self.plain))
        return self.record


@pytest.fixture
def story() -> Story:
    return Story()


@given("an evaluation of four cases of three animals")
def _(story: Story) -> None:
    story.cases = [
        counted_case("a-1", subject="a", overlap=(90, 10, 20)),
        counted_case("a-2", subject="a", overlap=(70, 30, 25), distance=4.25),
        counted_case("b", overlap=(150, 7, 2), distance=1.0),
        counted_case("c", overlap=(60, 40, 1), distance=6.5),
    ]
    story.plain = json.loads(evaluation(story.cases).model_dump_json())


@when("its file is read")
def _(story: Story) -> None:
    story.read()


@then("each case has counts of its measures, of the baseline and of the bins, and no ratio")
def _(story: Story) -> None:
    assert len(story.plain["cases"]) == 4
    for case in story.plain["cases"]:
        assert set(case["counts"]) == {"dice", "cldice", "nsd", "hd95"}
        distance = case["counts"].pop("hd95")
        assert set(distance) == {"value"}
        counts = [held for one in (*case["counts"].values(), case["baseline"]) for held in one.values()]
        counts += [held for bins in (case["bins"], case["border_bins"]) for row in bins for held in row]
        assert len(counts) == 3 + 4 + 4 + 3 + 2 * 15 * 3
        assert {type(one) for one in counts} == {int}


@then("the Dice of each case is 2 tp / (2 tp + fp + fn)")
def _(story: Story) -> None:
    assert story.record is not None
    assert [case.dice for case in story.record.cases] == [180 / 210, 140 / 195, 300 / 309, 120 / 161]


@when("one true positive is added to the counts of Dice alone")
def _(story: Story) -> None:
    story.plain["cases"][2]["counts"]["dice"]["tp"] += 1


@then("reading it is refused, and the message names the case and both sizes of the reference")
def _(story: Story) -> None:
    with pytest.raises(ValidationError, match="case b: the reference has 153 voxels in dice, and 152 in baseline"):
        story.read()


@when("the evaluation in the pack of version 0.1.0 is read")
def _(story: Story) -> None:
    with zipfile.ZipFile(earlier.FOLDER / "evidence.zip") as pack:
        story.plain = json.loads(pack.read("data/evaluation/evaluation.json"))
    story.read()


@then("its cases have the ratios that it states")
def _(story: Story) -> None:
    assert story.record is not None
    for case, stated in zip(story.record.cases, story.plain["cases"], strict=True):
        assert isinstance(case, CaseMeasures)
        assert dict(case.values) == {name: stated[name] for name in ("dice", "cldice", "nsd", "hd95_um")}


@then("it is written without a format")
def _(story: Story) -> None:
    assert story.record is not None
    written = json.loads(story.record.model_dump_json())
    assert "format" not in written
    assert written["cases"] == story.plain["cases"]


@when("a script of the standard library resamples the Dice of the cases by animal")
def _(story: Story) -> None:
    values = []
    for case in story.plain["cases"]:
        held: Mapping[str, int] = case["counts"]["dice"]
        values.append(2 * held["tp"] / (2 * held["tp"] + held["fp"] + held["fn"]))
    units = [case["subject"] for case in story.plain["cases"]]
    story.interval = interval_by_hand.interval(values, units, 300, PLAN.seed, 1 - 0.05 / 2)


@then("mean and both limits are equal to the last bit")
def _(story: Story) -> None:
    found = story.read().aggregates["dice"]
    assert (found.mean, found.lower, found.upper) == story.interval
    assert found.lower != found.upper


@when("the same cases are evaluated in another order")
def _(story: Story) -> None:
    story.other = evaluation([story.cases[place] for place in (2, 0, 3, 1)])


@then("every figure is the same")
def _(story: Story) -> None:
    assert story.other is not None
    assert story.other != story.read()
    assert recomputed(story.other, PLAN) == recomputed(story.read(), PLAN)
    assert first_difference(story.other, PLAN) is None


@then("the check finds no difference")
def _(story: Story) -> None:
    assert story.record is not None
    assert first_difference(story.record, PLAN) is None


@when("the lower limit of Dice is raised in its file")
def _(story: Story) -> None:
    story.plain["aggregates"]["dice"]["lower"] += 0.01


@when("one border voxel more is within the tolerance in its file")
def _(story: Story) -> None:
    story.plain["cases"][1]["counts"]["nsd"]["predicted_within"] += 1


@then(parsers.parse('the check names "{figure}" with both values'))
def _(story: Story, figure: str) -> None:
    found = first_difference(story.read(), PLAN)
    assert found is not None
    assert found.figure == figure
    right = evaluation(story.cases) if figure.endswith("lower") else story.read()
    _, name, part = figure.split(".")
    assert found.stated == f"{getattr(story.read().aggregates[name], part):.6f}"
    assert found.computed == f"{getattr(recomputed(right, PLAN).aggregates[name], part):.6f}"
    assert (
        found.sentence
        == f"{figure} is {found.stated} in the evaluation, and {found.computed} by the counts of its cases"
    )
