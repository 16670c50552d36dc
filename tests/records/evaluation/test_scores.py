"""Scores of probabilities in an evaluation: their figures, what is not written, and what is refused."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import ValidationError

from minivess.records.evaluation.acceptance_criteria import judge
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.scores import SCORES, precision_recall, precision_recall_of_groups
from minivess.records.evaluation.evaluation import Criterion, EvaluationRecord
from minivess.records.evaluation.measures import heading_of, range_of
from minivess.records.evaluation.recomputation import first_difference, recomputed
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan

pytestmark = [pytest.mark.verifies("SU-04"), pytest.mark.verifies("REQ-382")]

DIGEST = f"sha256:{'7' * 64}"
PLAN = analysis_plan(bootstrap=100, statistics="mean of groups", scored=True)


def evaluation(cases: list[CaseCounts]) -> EvaluationRecord:
    return counted_evaluation(cases, PLAN, model=DIGEST, data=DIGEST, request="r", looks=3)


def scored() -> list[CaseCounts]:
    return [
        counted_case("a-1", group="a", scored=True, shape=(10, 10, 10)),
        counted_case("a-2", group="a", overlap=(5, 60, 40), voxels=200, scored=True, shape=(8, 5, 5)),
        counted_case("b", overlap=(150, 7, 2), scored=True, shape=(4, 25, 10)),
        counted_case("c", overlap=(0, 5, 0), voxels=50_000, distance=None, scored=True, shape=(50, 10, 100)),
    ]


def test_a_score_is_a_mean_over_groups_of_the_means_of_their_cases_and_not_over_voxels() -> None:
    cases = scored()
    made = evaluation(cases).aggregates
    briers = {one.case: one.score_values["brier"] or 0.0 for one in cases}
    assert briers["a-1"] == pytest.approx((90 * 0.01 + 10 * 0.81 + 20 * 0.64 + 880 * 0.0001) / 1000)
    expected = ((briers["a-1"] + briers["a-2"]) / 2 + briers["b"] + briers["c"]) / 3
    assert made["brier"].mean == pytest.approx(expected)
    pooled = math.fsum(briers[one.case] * one.voxels for one in cases) / sum(one.voxels for one in cases)
    assert abs(expected - pooled) > 0.5 * expected
    assert (made["brier"].n, made["brier"].groups, made["brier"].method) == (4, 3, "student-t")


def test_a_score_that_is_undefined_in_a_case_is_left_out_and_counted() -> None:
    cases = scored()
    assert cases[3].score_values["average_precision"] is None
    assert evaluation(cases).aggregates["average_precision"].n == 3


def test_a_record_without_scores_has_neither_fields_nor_figures_of_them() -> None:
    made = evaluation([counted_case("a"), counted_case("b")])
    case = json.loads(made.model_dump_json())["cases"][0]
    assert not {"scores", "border_scores", "shape", "spacing"} & set(case)
    assert not set(SCORES) & set(made.aggregates)
    assert dict(made.cases[0].score_values) == {}


def test_scores_are_read_as_they_were_written_and_computed_again() -> None:
    made = evaluation(scored())
    read = EvaluationRecord.model_validate_json(made.model_dump_json())
    assert read == made
    assert first_difference(read, PLAN) is None
    assert recomputed(read, PLAN).aggregates == made.aggregates
    plain = json.loads(made.model_dump_json())
    plain["aggregates"]["border_ace"]["mean"] += 0.001
    found = first_difference(EvaluationRecord.model_validate(plain), PLAN)
    assert found is not None
    assert found.figure == "aggregates.border_ace.mean"


def test_a_criterion_can_limit_a_score() -> None:
    criteria = [Criterion(measure="brier", at_most=0.9), Criterion(measure="average_precision", at_least=0.1)]
    with_scores, without = evaluation(scored()), evaluation([counted_case("a"), counted_case("b")])
    assert [one.met for one in judge(with_scores, criteria)] == [True, False]  # undefined in a case: not met
    assert [(one.met, one.value) for one in judge(without, criteria)] == [(False, None)] * 2


def test_the_mean_curve_weighs_each_group_the_same_and_leaves_out_what_is_undefined() -> None:
    cases = [(one.group, one.scores) for one in scored() if one.scores is not None]
    curve = precision_recall_of_groups(cases)
    alone = [precision_recall(counts)[50] for _, counts in cases]
    assert [one.recall for one in alone] == [90 / 110, 5 / 45, 150 / 152, None]
    assert [one.precision for one in alone] == [0.9, 5 / 65, 150 / 157, 0.0]
    assert curve[50].recall == pytest.approx(((90 / 110 + 5 / 45) / 2 + 150 / 152) / 2)
    assert curve[50].precision == pytest.approx(((0.9 + 5 / 65) / 2 + 150 / 157 + 0) / 3)
    assert curve[0].recall == 1.0
    assert curve[95] == (0.95, None, 0.0)


def test_every_score_has_a_title_and_a_range() -> None:
    assert {heading_of(name) for name in SCORES} == {score.title for score in SCORES.values()}
    assert range_of("border_nll") == (0.0, math.inf)
    assert range_of("ace") == (0.0, 1.0)


def scores_of(case: CaseCounts) -> object:
    """The scores of a case, as they are written."""
    return json.loads(case.model_dump_json())["scores"]


@pytest.mark.verifies("REQ-383", "REQ-384")
@pytest.mark.parametrize("name", ["scores", "border_scores", "shape", "spacing"])
def test_one_of_two_fields_alone_is_refused(name: str) -> None:
    plain = json.loads(scored()[0].model_dump_json())
    del plain[name]
    with pytest.raises(
        ValidationError, match="case a-1 has scores without those of the border, a shape without spacing"
    ):
        CaseCounts.model_validate(plain)


FINE = [[0, 0, 0] for _ in range(100)]
OTHER_SIZE = scores_of(counted_case("a", voxels=999, scored=True))
OTHER_REFERENCE = scores_of(counted_case("a", overlap=(90, 10, 19), scored=True))


@pytest.mark.verifies("REQ-383")
@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("scores",), None, "leave it out, or give it a value"),
        (("border_scores",), None, "leave it out, or give it a value"),
        (("scores", "brier"), -1, "greater than or equal to 0"),
        (("scores", "brier"), 1.5, "valid integer"),
        (("scores", "bins"), FINE[:99], "at least 100 items"),
        (("scores", "bins", 90), [100, 90_000_000, 101], "positives of bin 90 (101) is more than its voxels (100)"),
        (("scores", "bins", 90), [100, 89_000_000, 90], "the probabilities of fine bin 90 are outside the bin"),
        (("scores", "bins", 90), [100, 91_000_200, 90], "the probabilities of fine bin 90 are outside the bin"),
        (("scores", "brier"), 10**6, "brier (1000000) is not between"),
        (("scores", "nll"), 10**9, "nll (1000000000) is not between"),
        (("scores",), OTHER_SIZE, "the scores of all voxels have 999 voxels and 110 positives, the bins 1000 and 110"),
        (("scores",), OTHER_REFERENCE, "the scores of all voxels have 1000 voxels and 109 positives"),
        (("border_scores",), OTHER_REFERENCE, "the scores of the border have 1000 voxels and 109 positives"),
        (("scores", "bins", 20), [20, 4_000_100, 20], "the scores of all voxels have a probability of"),
        (("border_scores", "bins", 20), [10, 2_000_100, 10], "the scores of the border have a probability of"),
    ],
)
def test_what_contradicts_its_bins_is_refused(path: tuple[str | int, ...], value: object, reason: str) -> None:
    plain = json.loads(scored()[0].model_dump_json())
    place = plain
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ValidationError) as refused:
        CaseCounts.model_validate_json(json.dumps(plain))
    assert reason in str(refused.value)


@pytest.mark.verifies("REQ-383")
def test_a_border_is_part_of_the_volume() -> None:
    """A voxel moves to the bin before, along the border alone. All sums stay the same."""
    plain = json.loads(scored()[0].model_dump_json())
    voxels, probability, _ = plain["border_scores"]["bins"][1]
    assert plain["scores"]["bins"][0] == [0, 0, 0]
    plain["border_scores"]["bins"][:2] = [[1, 0, 0], [voxels - 1, probability, 0]]
    with pytest.raises(ValidationError, match="a fine bin has more voxels along the border than in the volume"):
        CaseCounts.model_validate(plain)


@pytest.mark.verifies("REQ-383")
@pytest.mark.parametrize("name", ["brier", "nll"])
def test_the_border_adds_no_more_than_the_volume(name: str) -> None:
    """Both sums are within what their bins allow."""
    plain = json.loads(scored()[0].model_dump_json())
    plain["border_scores"][name] = round(plain["border_scores"][name] * 1.01)
    plain["scores"] = json.loads(json.dumps(plain["border_scores"]))
    plain["bins"] = plain["border_bins"]
    del plain["shape"], plain["spacing"]
    counts = plain["border_scores"]["bins"]
    tp, fn = counts[90][2], counts[20][2]
    fp = counts[90][0] - tp
    small = json.loads(counted_case("a-1", overlap=(tp, fp, fn), group="a").model_dump_json())
    plain |= {key: small[key] for key in ("counts", "baseline")}
    CaseCounts.model_validate(plain)
    plain["border_scores"][name] += 2
    with pytest.raises(ValidationError, match=f"{name} is larger along the border than in the volume"):
        CaseCounts.model_validate(plain)


@pytest.mark.verifies("REQ-384")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape": None}, "leave it out, or give it a value"),
        ({"spacing": None}, "leave it out, or give it a value"),
        ({"shape": [10, 10, 11]}, "its shape has 1100 voxels, and the bins 1000"),
        ({"shape": [1000]}, "at least 2 items"),
        ({"spacing": [2.0, 2.0]}, "case a-1 has 3 axes and 2 spacings"),
        ({"spacing": [2.0, 0.0, 2.0]}, "greater than 0"),
        ({"spacing": [2.0, "2", 2.0]}, "valid number"),
        ({"shape": [10, 10.0, 10]}, "valid integer"),
    ],
)
def test_a_shape_that_does_not_fit_is_refused(changes: dict[str, object], reason: str) -> None:
    plain = json.loads(scored()[0].model_dump_json())
    with pytest.raises(ValidationError) as refused:
        CaseCounts.model_validate_json(json.dumps({**plain, **changes}))
    assert reason in str(refused.value)


@pytest.mark.verifies("REQ-383", "REQ-384")
def test_rows_of_a_case_have_one_shape_and_all_rows_have_scores_or_none() -> None:
    rows = [counted_case("a", of_class=name, scored=True, shape=(10, 10, 10)) for name in ("artery", "vein")]
    assert evaluation(rows).tested == ("a",)
    other = counted_case("a", of_class="vein", scored=True, shape=(5, 20, 10))
    with pytest.raises(ValidationError, match="rows of different subjects, groups, shapes"):
        evaluation([rows[0], other])
    for odd in (counted_case("b", scored=True), counted_case("b", shape=(10, 10, 10))):
        with pytest.raises(ValidationError, match="of the cases a and b only one has scores, or a shape"):
            evaluation([counted_case("a"), odd])
