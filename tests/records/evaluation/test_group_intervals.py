"""Intervals over independent groups: what is counted, by which method, and how often they cover."""

from __future__ import annotations

import json
import math
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.statistics.distributions import binomial_upper, student_t
from minivess.records.evaluation.statistics.intervals import failure_share, group_interval, mean_interval
from minivess.records.evaluation.statistics.summaries import FEW_GROUPS, LEAST_COVERAGE, Interval
from tests.support.builders.pack_builder import TEMPLATES
from tests.support.interpreters import interpreters
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-04", "REQ-242")

VALUES = [0.81, 0.93, 0.72, 0.95, 0.88, 0.64, 0.79]
GROUPS = ["a", "a", "b", "c", "d", "e", "f"]
MEANS = [0.87, 0.72, 0.95, 0.88, 0.64, 0.79]


def made(
    values: list[float], groups: list[str], *, level: float = 0.95, resamples: int = 100, seed: int = 0
) -> Interval:
    return group_interval(values, groups, resamples=resamples, seed=seed, level=level)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[float], list[str]]:
    number = draw(st.integers(2, 14))
    values = draw(st.lists(st.floats(0, 1), min_size=number, max_size=number))
    return values, draw(st.lists(st.sampled_from("abcde"), min_size=number, max_size=number))


@pytest.mark.verifies("REQ-244", "RC-105")
@settings(max_examples=30, deadline=None)
@given(questions(), st.sampled_from([0.9, 0.95, 1 - 0.05 / 3]))
def test_with_few_groups_it_is_student_t_of_scipy_over_group_means(
    question: tuple[list[float], list[str]], level: float
) -> None:
    values, groups = question
    means = [np.mean([v for v, g in zip(values, groups, strict=True) if g == name]) for name in sorted(set(groups))]
    found = made(values, groups, level=level)
    assert (found.n, found.groups, found.method) == (len(values), len(means), "student-t")
    assert found.mean == pytest.approx(np.mean(means), abs=1e-12)
    if len(means) < 2:
        assert (found.lower, found.upper, found.coverage, found.beside) == (None, None, None, None)
        return
    half = stats.t.isf((1 - level) / 2, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means))
    assert [found.lower, found.upper] == pytest.approx([np.mean(means) - half, np.mean(means) + half], abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_order_of_cases_names_of_groups_and_repeated_cases_change_nothing(
    question: tuple[list[float], list[str]], shuffle: random.Random
) -> None:
    values, groups = question
    rows = list(zip(values, groups, strict=True))
    shuffle.shuffle(rows)
    shuffled, names = zip(*rows, strict=True)
    assert made(list(shuffled), list(names)) == made(values, groups)
    thrice, alone = made(values * 3, groups * 3), made(values, groups)
    assert (thrice.groups, thrice.n) == (alone.groups, 3 * alone.n)
    for name in ("mean", "lower", "upper"):
        assert getattr(thrice, name) == pytest.approx(getattr(alone, name), abs=1e-12)
    assert made(values, [f"x-{group}" for group in groups]) == alone


def test_a_case_more_of_one_group_does_not_narrow_the_interval() -> None:
    """Twelve stacks of one animal and one of another are two animals."""
    twelve = made([0.8] * 12 + [0.9], ["a"] * 12 + ["b"])
    two = made([0.8, 0.9], ["a", "b"])
    assert twelve.groups == two.groups == 2
    assert [twelve.lower, twelve.upper] == pytest.approx([two.lower, two.upper], abs=1e-12)


@pytest.mark.verifies("REQ-244")
def test_the_percentile_bootstrap_is_beside_it_and_from_20_groups_on_it_is_the_other_way_round() -> None:
    few = made(MEANS, list("abcdef"), resamples=500)
    before = mean_interval(MEANS, list("abcdef"), resamples=500, seed=0)
    assert few.beside is not None
    assert (few.beside.method, few.beside.lower, few.beside.upper) == ("percentile", before.lower, before.upper)
    drawn = random.Random(1)  # noqa: S311
    values = [drawn.random() for _ in range(FEW_GROUPS)]
    names = [f"g{number}" for number in range(FEW_GROUPS)]
    assert made(values[1:], names[1:]).method == "student-t"
    many = made(values, names)
    assert many.method == "percentile"
    assert many.beside is not None
    assert many.beside.method == "student-t"
    half = stats.t.isf(0.025, FEW_GROUPS - 1) * stats.sem(values)
    assert many.beside.upper == pytest.approx(np.mean(values) + half, abs=1e-12)


@pytest.mark.verifies("REQ-244", "RC-105")
def test_the_simulated_coverage_is_that_of_a_simulation_with_numpy() -> None:
    found = made(MEANS, list("abcdef"), resamples=2000, seed=3)
    assert found == made(MEANS, list("abcdef"), resamples=2000, seed=3)
    assert found != made(MEANS, list("abcdef"), resamples=2000, seed=4)
    generator = np.random.default_rng(0)
    sample = np.array(MEANS)[generator.integers(6, size=(2000, 6))]
    centre, error = sample.mean(1), sample.std(1, ddof=1) / np.sqrt(6)
    by_t = np.mean(abs(centre - np.mean(MEANS)) <= stats.t.isf(0.025, 5) * error)
    inner = np.take_along_axis(sample[:, None], generator.integers(6, size=(2000, 119, 6)), 2).mean(2)
    low, high = np.sort(inner, axis=1)[:, [2, 116]].T
    by_percentile = np.mean((low <= np.mean(MEANS)) & (np.mean(MEANS) <= high))
    assert found.coverage == pytest.approx(by_t, abs=0.05)
    assert found.beside is not None
    assert found.beside.coverage == pytest.approx(by_percentile, abs=0.06)
    assert found.beside.coverage < found.coverage


@pytest.mark.verifies("REQ-244")
def test_too_few_groups_have_an_interval_and_no_simulated_coverage() -> None:
    three = made(MEANS[:3], list("abc"))
    assert (three.coverage, three.beside and three.beside.coverage) == (None, None)
    assert three.basis == (
        "Student's t, 3 groups, 3 cases, nominal coverage 95 %, at level 95 % simulated 88 % (the least of four distributions: "
        "3 groups are too few to draw from)"
    )
    assert made(MEANS[:4], list("abcd")).coverage is not None


@pytest.mark.verifies("REQ-244")
@pytest.mark.parametrize("groups", LEAST_COVERAGE)
def test_the_coverage_of_two_and_three_groups_is_the_least_of_four_distributions(groups: int) -> None:
    draw, shape = np.random.default_rng(3), (60_000, groups)
    drawn = {
        0.85: draw.normal(0.85, 0.05, shape),
        18 / 21: draw.beta(18, 3, shape),
        30 / 31: draw.beta(30, 1, shape),
        math.exp(1.18): draw.lognormal(1, 0.6, shape),
    }
    times = student_t(0.95, groups - 1)
    covers = [
        np.mean(np.abs(means.mean(axis=1) - mean) <= times * means.std(axis=1, ddof=1) / math.sqrt(groups))
        for mean, means in drawn.items()
    ]
    assert LEAST_COVERAGE[groups] == pytest.approx(min(covers), abs=0.012)
    assert LEAST_COVERAGE[groups] <= min(covers)


@pytest.mark.verifies("REQ-244")
def test_a_limit_beyond_what_a_measure_can_be_is_set_to_it() -> None:
    wide = group_interval([0.9, 0.99, 0.2], list("abc"), resamples=100, seed=0, within=(0.0, 1.0))
    assert (wide.lower, wide.upper) == (0.0, 1.0)


@pytest.mark.verifies("REQ-244")
def test_words_name_method_groups_cases_nominal_and_simulated_coverage() -> None:
    found = made(VALUES, GROUPS, resamples=1000)
    assert found.basis.startswith("Student's t, 6 groups, 7 cases, nominal coverage 95 %, simulated ")
    assert found.beside_in_words().startswith("percentile bootstrap 0.")
    assert "simulated coverage" in found.beside_in_words()
    alone = made([0.7, 0.75], ["a", "a"])
    assert (alone.words(), alone.basis, alone.beside_in_words()) == ("no interval: one group", "1 group, 2 cases", "")
    before = mean_interval(VALUES, GROUPS, resamples=100, seed=0)
    assert before.basis == "percentile bootstrap, 7 cases, nominal coverage 95 %, not simulated"
    assert set(before.model_dump()) == {"mean", "lower", "upper", "n", "level"}


@pytest.mark.verifies("REQ-245")
def test_a_group_fails_when_one_of_its_cases_does_and_the_bound_is_exact() -> None:
    none = failure_share([False] * 8, ["a", "a", "a", "b", "c", "d", "e", "f"])
    assert (none.mean, none.lower, none.n, none.groups) == (0.0, 0.0, 8, 6)
    assert none.words() == "0 of 6 failed: up to 39 % may"
    one = failure_share([True, True, False, False], ["a", "a", "a", "b"])
    assert one.mean == 0.5
    assert one.upper == pytest.approx(0.95**0.5, abs=1e-12)
    assert one.words() == "1 of 2 failed: up to 97 % may"
    assert "one-sided and exact" in one.basis
    with pytest.raises(UsageError):
        failure_share([], [])


@pytest.mark.parametrize(("values", "groups"), [([], []), ([0.1], ["a", "b"]), ([float("nan")], ["a"])])
def test_what_cannot_be_averaged_is_refused(values: list[float], groups: list[str]) -> None:
    with pytest.raises(UsageError):
        made(values, groups)


_RUN = """
import json, runpy, sys
script = runpy.run_path(sys.argv[1])
said = json.load(sys.stdin)
found = script["interval"](list(zip(said["groups"], said["values"])), said["plan"], said["level"])
print(json.dumps([found, script["largest_share"](2, 17, said["level"]), script["student"](said["level"], 17)]))
"""


@pytest.mark.verifies("REQ-247")
@pytest.mark.parametrize(
    "interpreter", [pytest.param(path, id=name) for name, path in list(interpreters().items())[:1]]
)
def test_verify_py_gives_the_same_bits_on_another_python(interpreter: Path) -> None:
    drawn = random.Random(7)  # noqa: S311
    values, groups = [drawn.random() for _ in range(30)], [f"mouse-{drawn.randrange(17)}" for _ in range(30)]
    level = 1 - 0.05 / 3
    plan = {"seed": 2026, "conventions": {"statistics": "mean of groups", "bootstrap": 500}}
    done = subprocess.run(
        [interpreter, "-I", "-c", _RUN, TEMPLATES / "verify.py"],
        input=json.dumps({"values": values, "groups": groups, "plan": plan, "level": level}),
        capture_output=True,
        text=True,
        check=True,
    )
    made = group_interval(values, groups, resamples=500, seed=2026, level=level, within=(0.0, 1.0))
    exact = [binomial_upper(2, 17, level), student_t(level, 17)]
    assert json.loads(done.stdout) == [json.loads(made.model_dump_json()), *exact]
