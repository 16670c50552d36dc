"""Two evaluations compared by independent group: pairs, tests, non-inferiority, sample sizes and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from minivess.foundation.errors import RefusedError, UsageError
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.comparison.evaluations import (
    ComparedEvaluation,
    Comparison,
    compare,
    groups_to_show,
    undefined_cases,
)
from minivess.records.evaluation.comparison.paired import (
    PairedDifference,
    means_by_group,
    non_inferiority,
    paired_difference,
)
from minivess.records.evaluation.evaluation import EvaluationRecord
from tests.support.builders.counted_cases import counted_case, counted_evaluation
from tests.support.builders.evaluation_plan import analysis_plan
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-149"), pytest.mark.verifies("REQ-390")]

DIGEST, OTHER = f"sha256:{'7' * 64}", f"sha256:{'8' * 64}"
PLAN = analysis_plan(bootstrap=100, statistics="mean of groups")
FILE = ComparedEvaluation(file=DIGEST, model=DIGEST, request="r", look=1, entry=3)


def cases(found: Callable[[int], int], *, number: int = 12, **changes: Any) -> list[CaseCounts]:
    """Two cases a group, of which `found` voxels of 100 are found."""
    return [
        counted_case(
            f"c{place:02}", overlap=(found(place), 6 + place, 100 - found(place)), group=f"g{place // 2}", **changes
        )
        for place in range(number)
    ]


def record(rows: list[CaseCounts], **changes: Any) -> EvaluationRecord:
    known: dict[str, Any] = {"model": DIGEST, "data": DIGEST, "request": "r", "looks": 1}
    return counted_evaluation(rows, PLAN, **(known | changes))


def compared(first: EvaluationRecord, second: EvaluationRecord, **changes: Any) -> Comparison:
    return compare(first, second, (FILE, FILE), seed=0, **changes)


GOOD, BETTER = record(cases(lambda place: 70 + place)), record(cases(lambda place: 74 + place + place % 3))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[float], list[float], list[str]]:
    number = draw(st.integers(1, 12))
    values = st.lists(st.floats(0, 1), min_size=number, max_size=number)
    names = draw(st.lists(st.sampled_from("abcde"), min_size=number, max_size=number))
    return draw(values), draw(values), names


@settings(max_examples=40)
@given(pairs(), st.randoms())
def test_differences_of_groups_are_what_is_tested(
    found: tuple[list[float], list[float], list[str]], shuffle: Any
) -> None:
    first, second, names = found
    made = paired_difference(first, second, names, resamples=100, seed=0, width=1.0)
    means = [
        np.mean([two - one for one, two, name in zip(first, second, names, strict=True) if name == group])
        for group in sorted(set(names))
    ]
    assert made.difference.mean == pytest.approx(np.mean(means), abs=1e-12)
    assert made.second - made.first == pytest.approx(made.difference.mean, abs=1e-12)
    assert (made.difference.groups, made.difference.n) == (len(means), len(first))
    if len(means) > 1 and made.difference.lower is not None:
        half = stats.t.isf(0.025, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means))
        assert made.difference.lower == pytest.approx(max(-1.0, np.mean(means) - half), abs=1e-9)
    order = list(range(len(first)))
    shuffle.shuffle(order)
    turned = [[held[place] for place in order] for held in (first, second)]
    assert paired_difference(*turned, [names[place] for place in order], resamples=100, seed=0, width=1.0) == made
    back = paired_difference(second, first, names, resamples=100, seed=0, width=1.0)
    assert (back.p, back.higher, back.lower) == (made.p, made.lower, made.higher)


def test_many_cases_of_one_animal_are_one_difference() -> None:
    """Twelve stacks of one animal on which the second is better are no evidence about other animals."""
    first, second = [0.5] * 12 + [0.6, 0.7], [0.7] * 12 + [0.6, 0.7]
    made = paired_difference(first, second, ["a"] * 12 + ["b", "c"], resamples=100, seed=0)
    assert (made.p, made.difference.groups, made.higher, made.lower) == (1.0, 3, 1, 0)
    apart = paired_difference(first, second, [f"g{place}" for place in range(14)], resamples=100, seed=0)
    assert apart.p < 0.001


def test_lists_of_other_lengths_are_no_pairs() -> None:
    with pytest.raises(UsageError, match="2 and 1 values of 2 cases"):
        paired_difference([0.1, 0.2], [0.1], ["a", "b"], resamples=100, seed=0)


def test_a_model_is_not_different_from_itself() -> None:
    made = compared(GOOD, GOOD)
    assert {one.paired.p for one in made.measures if one.paired} == {1.0}
    assert {one.needed for one in made.measures} == {None}
    assert all(one.paired is not None and one.paired.difference.mean == 0 for one in made.measures)


@pytest.mark.verifies("REQ-391")
def test_every_measure_is_corrected_for_all() -> None:
    made = compared(GOOD, BETTER)
    assert [one.measure for one in made.measures] == ["dice", "cldice", "nsd", "hd95"]
    ps = [one.paired.p for one in made.measures if one.paired is not None]
    assert ps[0] == 2 / 2**6  # better in each of 6 groups
    assert [one.p_holm for one in made.measures] == pytest.approx([4 * 2 / 64, 4 * 2 / 64, 4 * 2 / 64, 1.0])
    # with 8 groups the smallest p of 4 tests is 4 * 2 / 256, below .05; with 7 it is 4 * 2 / 128
    assert made.measures[0].needed is not None
    assert made.measures[0].needed.needed == 8
    assert made.measures[3].needed is None


def test_the_order_of_the_rows_has_no_influence() -> None:
    turned = record(list(reversed(cases(lambda place: 74 + place + place % 3))))
    assert compared(GOOD, turned).measures == compared(GOOD, BETTER).measures


def test_it_is_the_same_after_it_was_written_and_read() -> None:
    made = compared(GOOD, BETTER, margins={"dice": 0.02}, goals={"cldice": 0.9})
    assert Comparison.model_validate_json(made.model_dump_json()) == made
    assert json.loads(made.model_dump_json())["format"] == "minivess-comparison/1"


def judged(low: float, high: float, margin: float, *, higher: bool = True) -> str:
    interval = {"mean": (low + high) / 2, "lower": low, "upper": high, "n": 8, "level": 0.95, "groups": 8}
    known = {"first": 0.8, "second": 0.8, "higher": 4, "lower": 4, "p": 0.5, "exact": True, "smallest_p": 2 / 2**8}
    found = PairedDifference.model_validate({"difference": interval, **known})
    return non_inferiority(found, margin, higher_is_better=higher).verdict


@pytest.mark.verifies("REQ-392")
@pytest.mark.parametrize(
    ("low", "high", "higher", "verdict"),
    [
        (-0.01, 0.05, True, "non-inferior"),
        (-0.02, 0.05, True, "not shown"),  # a loss of exactly the margin is not excluded
        (-0.03, 0.01, True, "not shown"),
        (-0.09, -0.03, True, "inferior"),
        (-0.019, -0.001, True, "non-inferior"),  # worse, by less than the margin
        (-0.05, 0.01, False, "non-inferior"),
        (-0.01, 0.03, False, "not shown"),
        (0.03, 0.09, False, "inferior"),
    ],
)
def test_the_interval_is_compared_with_the_margin(low: float, high: float, higher: bool, verdict: str) -> None:
    assert judged(low, high, 0.02, higher=higher) == verdict


@pytest.mark.verifies("REQ-392")
@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0.001, 1))
def test_a_smaller_is_better_measure_is_the_mirror_image(low: float, width: float, margin: float) -> None:
    assert judged(low, low + width, margin) == judged(-low - width, -low, margin, higher=False)


@pytest.mark.verifies("REQ-392", "RC-157")
def test_with_an_undefined_value_nothing_is_shown() -> None:
    lost = cases(lambda place: 74 + place + place % 3)
    lost[3] = counted_case("c03", overlap=(0, 0, 100), group="g1", distance=None)
    second = record(lost)
    assert undefined_cases(GOOD, second, "hd95") == undefined_cases(second, GOOD, "hd95") == ("c03",)
    made = compared(GOOD, second, margins={"hd95": 5.0, "dice": 0.5})
    dice, *_, distance = made.measures
    assert (distance.measure, distance.left_out, distance.cases) == ("hd95", ("c03",), 11)
    assert distance.paired is not None
    assert distance.paired.difference.mean == 0
    assert distance.non_inferiority is not None
    assert (distance.non_inferiority.verdict, distance.needed) == ("not shown", None)
    assert distance.non_inferiority.why == "undefined in 1 case: c03"
    assert dice.left_out == ()


@pytest.mark.verifies("REQ-392")
def test_one_group_shows_nothing() -> None:
    one = [record(cases(lambda place, more=more: 70 + place + more, number=2)) for more in (0, 3)]
    dice = compared(*one, margins={"dice": 0.5}).measures[0]
    assert dice.non_inferiority is not None
    assert dice.non_inferiority.why == "one group, so there is no interval"
    assert (dice.p_holm, dice.needed) == (1.0, None)


@pytest.mark.verifies("REQ-393")
def test_an_open_question_has_a_number_of_groups() -> None:
    """Without a margin enough groups for the corrected level; with one, enough to exclude the loss."""
    noisy = record(cases(lambda place: 70 + place + (6, -7, 5, -6, 4, -5)[place // 2]))
    without, stated = compared(GOOD, noisy).measures[0], compared(GOOD, noisy, margins={"dice": 0.01}).measures[0]
    assert without.needed is not None
    assert (without.needed.level, without.needed.limit) == (1 - 0.05 / 4, 0.0)
    assert without.needed.needed is not None
    assert without.needed.needed > 6
    assert stated.non_inferiority is not None
    assert stated.non_inferiority.verdict == "not shown"
    assert stated.needed is not None
    assert (stated.needed.level, stated.needed.limit, stated.needed.at_least) == (0.95, -0.01, True)
    assert stated.needed.needed is not None
    assert stated.needed.needed > 6


@pytest.mark.verifies("REQ-393")
def test_a_distance_that_is_not_shown_shall_grow_by_less_than_the_margin() -> None:
    def at(distances: tuple[float, ...]) -> EvaluationRecord:
        return record([counted_case(f"c{place}", distance=one) for place, one in enumerate(distances)])

    found = compared(at((4.0,) * 6), at((4.9, 3.2, 4.8, 3.3, 4.7, 3.4)), margins={"hd95": 0.2}).measures[3]
    assert found.non_inferiority is not None
    assert found.non_inferiority.verdict == "not shown"
    assert found.needed is not None
    assert (found.needed.limit, found.needed.at_least) == (0.2, False)
    assert found.needed.needed is not None
    assert found.needed.needed > 6


@pytest.mark.verifies("REQ-393")
def test_a_goal_is_planned_with_the_spread_of_each_model() -> None:
    made = compared(GOOD, BETTER, goals={"dice": 0.8, "hd95": 3.0})
    assert [(one.measure, one.model) for one in made.goals] == [
        (m, n) for m in ("dice", "hd95") for n in ("first", "second")
    ]
    assert made.goals[0].needed == groups_to_show(GOOD, "dice", 0.8)
    assert not made.goals[2].needed.at_least
    means = means_by_group([row.dice for row in GOOD.cases], [row.group for row in GOOD.cases])
    assert made.goals[0].needed.mean == pytest.approx(np.mean(list(means.values())))
    assert groups_to_show(record(cases(lambda place: 70, number=2)), "dice", 0.8) is None


def test_each_class_is_compared() -> None:
    def two(more: int) -> EvaluationRecord:
        rows = [
            counted_case(f"c{place}", overlap=(40 + place + more * (name == "a"), 9, 20), of_class=name, voxels=1000)
            for place in range(5)
            for name in ("a", "b")
        ]
        return record([row.model_copy() for row in rows])

    made = compared(two(0), two(3))
    assert [(one.measure, one.of_class) for one in made.measures[:2]] == [("dice", "a"), ("cldice", "a")]
    found = {(one.measure, one.of_class): one.paired for one in made.measures}
    assert found["dice", "a"] is not None
    assert found["dice", "b"] is not None
    assert found["dice", "a"].higher == 5
    assert found["dice", "b"].p == 1.0


REFUSED: dict[str, tuple[Callable[[], EvaluationRecord], str]] = {
    "other data": (lambda: record(cases(lambda place: 70), data=OTHER), "of different data"),
    "a case fewer": (lambda: record(cases(lambda place: 70, number=11)), "differ in case c11"),
    "a case more": (lambda: record(cases(lambda place: 70, number=13)), "differ in case c12"),
    "another subject": (lambda: record(cases(lambda place: 70, subject="x")), "differ in case c00"),
    "another group": (
        lambda: record([counted_case(f"c{place:02}", group="g") for place in range(12)]),
        "its row, subject or group is not in both",
    ),
    "another tolerance": (
        lambda: GOOD.model_copy(update={"conventions": GOOD.conventions.model_copy(update={"tolerance": 4.0})}),
        "measure differently: tolerance 2.0 and 4.0",
    ),
}


@pytest.mark.verifies("REQ-394", "RC-158")
@pytest.mark.parametrize("name", REFUSED)
def test_what_was_not_measured_alike_is_refused(name: str) -> None:
    other, words = REFUSED[name]
    with pytest.raises(RefusedError, match=words):
        compared(GOOD, other())


def test_a_margin_needs_a_measure_and_a_size() -> None:
    with pytest.raises(UsageError, match="'iou' is no measure of both"):
        compared(GOOD, BETTER, margins={"iou": 0.02})
    with pytest.raises(UsageError, match="allows no loss"):
        compared(GOOD, BETTER, margins={"dice": 0.0})


def test_records_of_version_0_1_0_are_compared_by_subject() -> None:
    def before(more: float) -> EvaluationRecord:
        interval = {"mean": 0.8, "lower": 0.7, "upper": 0.9, "n": 6}
        rows = [
            {"case": f"c{place}", "subject": f"s{place // 2}", "dice": 0.8 + more, "hd95_um": 4.0, "baseline_dice": 0.5}
            for place in range(6)
        ]
        known = {"model": DIGEST, "data": DIGEST, "request": "r", "threshold": 0.5, "ece": 0.1, "band_ece": 0.2}
        return EvaluationRecord.model_validate(
            {
                **known, "conventions": {"tolerance_um": 2.0}, "cases": rows, "aggregates": {"dice": interval},
                "baseline": interval, "best": "c0", "worst": "c1",
            }
        )  # fmt: skip

    made = compared(before(0.0), before(0.05), margins={"hd95_um": 1.0})
    assert [(one.measure, one.paired and one.paired.difference.groups) for one in made.measures] == [
        ("dice", 3),
        ("hd95_um", 3),
    ]
    assert made.measures[0].paired is not None
    assert made.measures[0].paired.difference.mean == pytest.approx(0.05)
    assert made.measures[1].non_inferiority is not None
    assert made.measures[1].non_inferiority.verdict == "non-inferior"


@pytest.mark.verifies("REQ-394")
def test_parts_are_not_mixed() -> None:
    part = GOOD.model_copy(update={"part": "validation"})
    assert compared(GOOD, GOOD).part is None
    assert compared(part, part).part == "validation"
    with pytest.raises(RefusedError, match="of different parts of the data: test and validation"):
        compared(GOOD, part)


def test_a_look_of_more_than_one_has_the_higher_level() -> None:
    made = compared(record(cases(lambda place: 70), looks=1), record(cases(lambda place: 71), looks=2))
    assert made.level == 0.975
    assert {one.paired.difference.level for one in made.measures if one.paired} == {0.975}
