"""Records of counts: what is derived from them, and what is refused when they are read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counted.counts import (
    CentrelineCounts,
    Distance,
    MeasureCounts,
    OverlapCounts,
    RecallCounts,
    SurfaceCounts,
)
from minivess.records.evaluation.evaluation import EvaluationRecord
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan

pytestmark = [pytest.mark.verifies("SU-04"), pytest.mark.verifies("REQ-214")]

DIGEST = f"sha256:{'6' * 64}"
PLAN = analysis_plan(bootstrap=100)


def record() -> EvaluationRecord:
    cases = [
        counted_case("a", conformal=(100, 10)),
        counted_case("b", overlap=(0, 5, 0), baseline=(0, 0, 0), conformal=(0, 0), distance=None),
        counted_case("c", overlap=(120, 1, 3), subject="a", group="a", conformal=(123, 0)),
    ]
    return counted_evaluation(cases, PLAN, model=DIGEST, data=DIGEST, request="r", looks=3)


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        (OverlapCounts(tp=3, fp=1, fn=2), 6 / 9),
        (OverlapCounts(tp=0, fp=0, fn=0), 1.0),
        (OverlapCounts(tp=0, fp=0, fn=4), 0.0),
        (CentrelineCounts(predicted_inside=1, predicted=2, reference_inside=3, reference=4), 2 * 0.5 * 0.75 / 1.25),
        (CentrelineCounts(predicted_inside=0, predicted=0, reference_inside=0, reference=0), 1.0),
        (CentrelineCounts(predicted_inside=0, predicted=3, reference_inside=0, reference=0), 0.0),
        (CentrelineCounts(predicted_inside=0, predicted=3, reference_inside=0, reference=4), 0.0),
        (SurfaceCounts(predicted_within=1, predicted=2, reference_within=3, reference=4), 4 / 6),
        (SurfaceCounts(predicted_within=0, predicted=0, reference_within=0, reference=0), 1.0),
        (SurfaceCounts(predicted_within=0, predicted=0, reference_within=0, reference=4), 0.0),
        (SurfaceCounts(predicted_within=2, predicted=2, reference_within=0, reference=0), 0.0),
        (RecallCounts(tp=3, fn=1), 0.75),
        (RecallCounts(tp=0, fn=0), None),
        (Distance(value=1.25), 1.25),
        (Distance(value=None), None),
    ],
)
def test_a_measure_follows_from_its_counts(counts: MeasureCounts, value: float | None) -> None:
    assert counts.measure == value


def test_a_file_holds_counts_and_no_ratios() -> None:
    made = record()
    case = json.loads(made.model_dump_json())["cases"][0]
    assert list(case) == ["case", "subject", "group", "counts", "baseline", "conformal", "bins", "border_bins"]
    assert case["counts"]["dice"] == {"tp": 90, "fp": 10, "fn": 20}
    assert case["counts"]["hd95"] == {"value": 2.5}
    assert case["baseline"] == {"tp": 67, "fp": 10, "fn": 43}
    assert case["conformal"] == {"tp": 100, "fn": 10}
    assert (len(case["bins"]), case["bins"][13]) == (15, [100, 90_000_000, 90])
    assert json.loads(made.model_dump_json())["format"] == "minivess-evaluation/2"


def test_ratios_are_derived_when_a_record_is_read() -> None:
    made = record()
    read = EvaluationRecord.model_validate_json(made.model_dump_json())
    assert read == made
    assert read.cases[0].values == {
        "dice": 180 / 210, "cldice": 2 * (30 / 33) * (30 / 36) / (30 / 33 + 30 / 36), "nsd": 90 / 105, "hd95": 2.5,
        "iou": 90 / 120, "sensitivity": 90 / 110, "specificity": 880 / 890, "ppv": 90 / 100, "volume_error": 10 / 110,
        "skeleton_precision": 30 / 33, "skeleton_recall": 30 / 36,
    }  # fmt: skip
    assert (read.cases[0].dice, read.cases[0].baseline_dice) == (180 / 210, 134 / 187)
    assert read.cases[1].values == {
        "dice": 0.0, "cldice": 0.0, "nsd": 0.0, "hd95": None, "iou": 0.0, "sensitivity": None, "specificity": 995 / 1000,
        "ppv": 0.0, "volume_error": None, "skeleton_precision": 0.0, "skeleton_recall": None,
    }  # fmt: skip
    assert [one.name for one in read.measures] == ["dice", "cldice", "nsd", "hd95"]


def test_counts_cannot_be_changed() -> None:
    case = record().cases[0]
    assert isinstance(case, CaseCounts)
    with pytest.raises(TypeError):
        case.counts["dice"] = OverlapCounts(tp=1, fp=0, fn=0)
    with pytest.raises(ValidationError, match="frozen"):
        case.baseline.tp = 7


def place(path: str) -> Callable[[dict[str, Any], Any], None]:
    """Write a value at a place of the record, `cases/0/counts/dice/tp`."""
    *parents, last = [int(step) if step.isdigit() else step for step in path.split("/")]

    def write(plain: Any, value: Any) -> None:
        for step in parents:
            plain = plain[step]
        plain[last] = value

    return write


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("cases/0/counts/dice/tp", -1, "greater than or equal to 0"),
        ("cases/0/counts/dice/tp", 90.0, "valid integer"),
        ("cases/0/counts/dice/tp", "90", "valid integer"),
        ("cases/0/counts/dice/tp", True, "valid integer"),
        ("cases/0/counts/dice/tp", 2**53, "less than or equal to"),
        ("cases/0/counts/dice/tn", 4, "Extra inputs are not permitted"),
        ("cases/0/counts/dice", {"tp": 1, "fp": 0}, "fn"),
        ("cases/0/counts/dise", {"value": 1.0}, "no measure has the counts 'dise'"),
        ("cases/0/counts", {"nsd": {"value": 1.0}}, "predicted_within"),
        ("cases/0/counts", {}, "a case needs counts of dice"),
        ("cases/0/counts", [], "Input should be"),
        ("cases/0/counts/hd95/value", "2.5", "valid number"),
        ("cases/0/counts/hd95/value", -0.5, "greater than or equal to 0"),
        ("cases/0/counts/cldice/predicted_inside", 34, "predicted_inside (34) is more than predicted (33)"),
        ("cases/0/counts/cldice/reference_inside", 37, "reference_inside (37) is more than reference (36)"),
        ("cases/0/counts/nsd/predicted_within", 51, "predicted_within (51) is more than predicted (50)"),
        ("cases/0/counts/nsd/reference_within", 56, "reference_within (56) is more than reference (55)"),
        ("cases/0/counts/cldice/predicted", 101, "case a: cldice has 101 voxels of the prediction, which has 100"),
        ("cases/0/counts/nsd/reference", 111, "case a: nsd has 111 voxels of the reference, which has 110"),
        (
            "cases/0/counts/cldice",
            {"predicted_inside": 0, "predicted": 0, "reference_inside": 0, "reference": 0},
            "case a: cldice has 0 voxels of the prediction, which has 100",
        ),
        (
            "cases/0/counts/nsd",
            {"predicted_within": 45, "predicted": 50, "reference_within": 0, "reference": 0},
            "case a: nsd has 0 voxels of the reference, which has 110",
        ),
        ("cases/1/counts/hd95/value", 0.5, "case b: hd95 has a value for masks of 5 and 0 voxels"),
        ("cases/0/counts/dice/tp", 91, "case a: the reference has 111 voxels in dice, and 110 in baseline"),
        ("cases/0/baseline/fn", 44, "case a: the reference has 110 voxels in dice, and 111 in baseline"),
        ("cases/0/conformal/fn", 11, "case a: the reference has 110 voxels in dice, and 111 in conformal"),
        ("cases/0/bins/13", [100, 90_000_000, 89], "case a: the reference has 110 voxels in dice, and 109 in bins"),
        ("cases/0/counts/dice/fp", 891, "case a: the masks of dice have 1001 voxels, and the bins 1000"),
        ("cases/0/baseline/fp", 891, "case a: the masks of baseline have 1001 voxels, and the bins 1000"),
        ("cases/0/bins/13", [89, 80_000_000, 90], "positives of bin 13 (90) is more than its voxels (89)"),
        ("cases/0/bins/13", [100, 100_000_001, 90], "probability of bin 13"),
        ("cases/0/bins/13", [100, 90_000_000], "bins.13.2\n  Field required"),
        ("cases/0/bins/13", [100, 90_000_000, 90, 0], "bins"),
        ("cases/0/bins", [[0, 0, 0]] * 14, "at least 15 items"),
        ("cases/0/border_bins", [[0, 0, 0]] * 16, "at most 15 items"),
        ("cases/0/border_bins/13", [101, 90_000_000, 45], "case a: bin 13 has more voxels along the border"),
        ("cases/0/border_bins/13", [100, 90_000_000, 91], "case a: bin 13 has more voxels along the border"),
        ("cases/2/case", "a", "case a occurs twice"),
        ("cases/2/group", "", "should match pattern"),
        ("cases/2/conformal", None, "of the cases a and c only one has counts of a conformal mask"),
        ("cases/2/dice", 0.9, "Extra inputs are not permitted"),
        ("cases", [], "needs cases, each with counts"),
        ("conventions/bootstrap_unit", "case", "the bootstrap unit 'case' is none of subject, group"),
        ("conventions/bootstrap", 100_001, "100001 resamples are more than 100000"),
        ("format", None, "cases with counts need the format minivess-evaluation/2"),
        ("format", "minivess-evaluation/3", "Input should be 'minivess-evaluation/2'"),
    ],
)
def test_what_contradicts_or_is_malformed_is_refused(path: str, value: object, reason: str) -> None:
    plain = json.loads(record().model_dump_json())
    place(path)(plain, value)
    with pytest.raises(ValidationError) as refused:
        EvaluationRecord.model_validate_json(json.dumps(plain))
    assert reason in str(refused.value)


def test_cases_with_different_measures_are_refused() -> None:
    plain = json.loads(record().model_dump_json())
    del plain["cases"][2]["counts"]["nsd"]
    with pytest.raises(ValidationError, match="case c has other measures than case a"):
        EvaluationRecord.model_validate(plain)


def test_ratios_are_refused_in_format_2_and_read_without_a_format() -> None:
    plain = json.loads(record().model_dump_json())
    old = copy.deepcopy(plain)
    del old["format"]
    old["cases"] = [{"case": "a", "subject": "a", "dice": 0.5, "hd95": None, "baseline_dice": 0.25}]
    read = EvaluationRecord.model_validate_json(json.dumps(old))
    assert isinstance(read.cases[0], CaseMeasures)
    assert "format" not in json.loads(read.model_dump_json())
    for cases in (old["cases"], [*plain["cases"], *old["cases"]]):
        with pytest.raises(ValidationError, match="needs cases, each with counts"):
            EvaluationRecord.model_validate({**plain, "cases": cases})
