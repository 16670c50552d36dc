"""The figures of an evaluation follow from its counts, and a figure that does not is named."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counted.counts import MILLION
from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
from minivess.records.evaluation.recomputation import Figures, first_difference, recomputed
from minivess.records.evaluation.statistics.intervals import mean_interval
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-04"), pytest.mark.verifies("REQ-216")]

DIGEST = f"sha256:{'6' * 64}"
FIXTURES = Path(__file__).parents[2] / "fixtures"
PLAN = analysis_plan(bootstrap=150)


def cases() -> list[CaseCounts]:
    return [
        counted_case("a1", subject="a", group="x", conformal=(100, 10)),
        counted_case("a2", overlap=(60, 30, 5), subject="a", group="x", conformal=(64, 1), distance=7.0),
        counted_case("b", overlap=(0, 5, 0), baseline=(0, 1, 0), group="y", conformal=(0, 0), distance=None),
        counted_case("c", overlap=(120, 1, 3), group="y", conformal=(123, 0), distance=0.5),
    ]


def record(plan: AnalysisPlan = PLAN, held: list[CaseCounts] | None = None) -> EvaluationRecord:
    return counted_evaluation(held or cases(), plan, model=DIGEST, data=DIGEST, request="r", look=2, looks=3)


def changed(made: EvaluationRecord, *steps: Any, value: Any) -> EvaluationRecord:
    plain = json.loads(made.model_dump_json())
    at = plain
    for step in steps[:-1]:
        at = at[step]
    at[steps[-1]] = value
    return EvaluationRecord.model_validate_json(json.dumps(plain))


def test_every_figure_follows_from_the_counts() -> None:
    made, held = record(), cases()
    subjects = [case.subject for case in held]
    settled = {"resamples": 150, "seed": 0, "level": 1 - 0.05 / 3}
    assert made.aggregates["dice"] == mean_interval([case.dice for case in held], subjects, **settled)
    assert made.aggregates["hd95"] == mean_interval([2.5, 7.0, 0.5], ["a", "a", "c"], **settled)
    gain = [case.dice - case.baseline_dice for case in held]
    assert made.aggregates["dice_over_baseline"] == mean_interval(gain, subjects, **settled)
    assert list(made.aggregates) == ["dice", "cldice", "nsd", "hd95", "dice_over_baseline"]
    assert made.baseline == mean_interval([case.baseline_dice for case in held], subjects, **settled)
    assert made.conformal_recall == mean_interval([100 / 110, 64 / 65, 1.0], ["a", "a", "c"], **settled)
    assert (made.best, made.worst) == ("c", "b")
    gaps = [
        abs(sum(case.bins[place].probability for case in held) / MILLION - sum(c.bins[place].positives for c in held))
        for place in range(15)
    ]
    assert made.ece == math.fsum(gaps) / 4000
    assert made.band_ece != made.ece
    assert recomputed(made, PLAN) == Figures(**{name: getattr(made, name) for name in Figures.model_fields})
    assert first_difference(made, PLAN) is None


def test_the_plan_names_the_unit_that_is_resampled() -> None:
    by_group = PLAN.model_copy(update={"conventions": PLAN.conventions.model_copy(update={"bootstrap_unit": "group"})})
    made = record(by_group)
    values, groups = [case.dice for case in cases()], [case.group for case in cases()]
    expected = mean_interval(values, groups, resamples=150, seed=0, level=1 - 0.05 / 3)
    assert made.aggregates["dice"] == expected != record().aggregates["dice"]


@settings(max_examples=20)
@given(st.permutations(cases()))
def test_the_order_of_the_cases_changes_no_figure(order: list[CaseCounts]) -> None:
    assert recomputed(record(held=order), PLAN) == recomputed(record(), PLAN)


def test_of_equal_cases_the_first_by_name_is_best_and_worst() -> None:
    alike = [counted_case(name) for name in ("b", "a", "c")]
    made = record(held=alike)
    assert (made.best, made.worst) == ("a", "a")


def test_without_a_conformal_mask_or_a_defined_distance_there_is_no_figure() -> None:
    made = record(held=[counted_case("a", distance=None), counted_case("b", distance=None)])
    assert made.conformal_recall is None
    assert "hd95" not in made.aggregates
    assert made.aggregates["dice"].n == 2
    assert first_difference(made, PLAN) is None


def test_a_single_subject_has_no_interval_and_an_empty_border_no_error() -> None:
    empty = counted_case("a", overlap=(0, 0, 0))
    made = record(held=[empty])
    assert (made.aggregates["dice"].lower, made.band_ece) == (None, 0.0)
    assert first_difference(made, PLAN) is None


PLACES = [
    ("aggregates.dice.mean", ("aggregates", "dice", "mean"), 0.999),
    ("aggregates.dice.lower", ("aggregates", "dice", "lower"), 0.5),
    ("aggregates.dice.lower", ("aggregates", "dice", "lower"), None),
    ("aggregates.nsd.upper", ("aggregates", "nsd", "upper"), 1.0),
    ("aggregates.cldice.level", ("aggregates", "cldice", "level"), 0.95),
    ("aggregates.hd95.n", ("aggregates", "hd95", "n"), 4),
    ("aggregates.dice_over_baseline.mean", ("aggregates", "dice_over_baseline", "mean"), 0.2),
    ("aggregates.other.mean", ("aggregates", "other"), {"mean": 1, "lower": None, "upper": None, "n": 1}),
    ("aggregates.cldice.mean", ("aggregates",), {}),
    ("baseline.mean", ("baseline", "mean"), 0.1),
    ("conformal_recall.upper", ("conformal_recall", "upper"), 0.1),
    ("conformal_recall.mean", ("conformal_recall",), None),
    ("ece", ("ece",), 0.0),
    ("band_ece", ("band_ece",), 0.0),
    ("best", ("best",), "a1"),
    ("worst", ("worst",), "a1"),
    ("threshold", ("threshold",), 0.4),
    ("conventions.tolerance", ("conventions", "tolerance"), 9.0),
    ("conventions.unit", ("conventions", "unit"), "mm"),
    ("conventions.bootstrap", ("conventions", "bootstrap"), 200),
    ("conventions.bootstrap_unit", ("conventions", "bootstrap_unit"), "group"),
]


@pytest.mark.parametrize(("figure", "steps", "value"), PLACES)
def test_a_figure_that_does_not_follow_is_named(figure: str, steps: tuple[str, ...], value: object) -> None:
    found = first_difference(changed(record(), *steps, value=value), PLAN)
    assert found is not None
    assert found.figure == figure
    assert found.stated != found.computed
    by = "its registered plan" if steps[0] in {"threshold", "conventions"} else "the counts of its cases"
    assert found.sentence == f"{figure} is {found.stated} in the evaluation, and {found.computed} by {by}"


def test_differences_below_six_decimals_are_none() -> None:
    made = record()
    assert first_difference(changed(made, "ece", value=made.ece + 1e-9), PLAN) is None


@pytest.mark.parametrize(
    ("figure", "steps", "value"),
    [
        ("aggregates.dice.mean", ("counts", "dice", "fp"), 11),
        ("aggregates.cldice.mean", ("counts", "cldice", "predicted"), 34),
        ("aggregates.nsd.mean", ("counts", "nsd", "predicted_within"), 44),
        ("aggregates.hd95.mean", ("counts", "hd95", "value"), 2.25),
        ("aggregates.dice_over_baseline.mean", ("baseline", "fp"), 11),
        ("conformal_recall.mean", ("conformal",), {"tp": 101, "fn": 9}),
        ("ece", ("bins", 13), [100, 91_000_000, 90]),
        ("band_ece", ("border_bins", 13), [50, 46_000_000, 45]),
        ("aggregates.cldice.lower", ("subject",), "a1"),
    ],
)
def test_a_changed_count_changes_a_figure(figure: str, steps: tuple[str, ...], value: object) -> None:
    found = first_difference(changed(record(), "cases", 0, *steps, value=value), PLAN)
    assert found is not None
    assert found.figure == figure


def test_another_plan_is_found() -> None:
    held = [counted_case(f"case-{number}", overlap=(50 + 6 * number**2, 30, 20)) for number in range(11)]
    other = PLAN.model_copy(update={"seed": 1})
    assert (found := first_difference(record(held=held), other)) is not None
    assert found.figure == "aggregates.cldice.lower"
    fewer = PLAN.model_copy(update={"measures": ("dice", "nsd")})
    assert (found := first_difference(record(), fewer)) is not None
    assert (found.figure, found.stated, found.computed) == ("measures", "dice, cldice, nsd, hd95", "dice, nsd")


def test_the_level_follows_from_the_looks_and_not_from_what_is_stated() -> None:
    found = first_difference(changed(record(), "looks", value=4), PLAN)
    assert found is not None
    assert found.figure.endswith(("lower", "upper", "level"))


def test_an_evaluation_of_version_0_1_0_cannot_be_computed_again() -> None:
    made = record()
    row = CaseMeasures(case="a", subject="a", values={"dice": 0.5}, baseline_dice=0.25)
    old = made.model_copy(update={"format": None, "cases": (row,)})
    with pytest.raises(UsageError, match=r"of version 0\.1\.0 has no counts"):
        first_difference(old, PLAN)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_random_counts_are_computed_again_after_they_were_written(seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311
    held = [
        counted_case(
            f"case-{number}",
            overlap=(drawn.randrange(200), drawn.randrange(200), drawn.randrange(200)),
            subject=f"s{drawn.randrange(3)}",
            distance=drawn.choice([None, drawn.random() * 30]),
        )
        for number in range(drawn.randrange(1, 7))
    ]
    read = EvaluationRecord.model_validate_json(record(held=held).model_dump_json())
    assert first_difference(read, PLAN) is None


def test_the_functions_are_apart_from_files(tmp_path: Path) -> None:
    """A record that was written and read gives the same figures."""
    file = tmp_path / "evaluation.json"
    file.write_text(record().model_dump_json(indent=2), encoding="utf-8")
    assert recomputed(EvaluationRecord.model_validate_json(file.read_bytes()), PLAN) == recomputed(record(), PLAN)


@pytest.mark.verifies("REQ-338")
def test_an_evaluation_of_one_class_is_written_as_before_there_were_several() -> None:
    """The stored bytes are of the commit before classes. Record and plan are read, computed again and written the same."""
    stored = (FIXTURES / "evaluation" / "one-class.json").read_text(encoding="utf-8")
    held = json.loads(stored)
    plan, read = AnalysisPlan.model_validate(held["plan"]), EvaluationRecord.model_validate(held["record"])
    rows = [case for case in read.cases if isinstance(case, CaseCounts)]
    made = counted_evaluation(rows, plan, model=read.model, data=read.data, request=read.request, looks=read.looks)
    assert f'{{"record":{made.model_dump_json()},"plan":{plan.model_dump_json()}}}\n' == stored
