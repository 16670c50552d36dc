"""Sample sizes: as SciPy's distributions give them, as intervals over simulated groups show them."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.comparison.noncentral import chi_squared_quantile, upper_tail
from minivess.records.evaluation.comparison.sample_size import MOST_GROUPS, groups_needed, power_of
from minivess.records.evaluation.statistics.distributions import student_t
from minivess.records.evaluation.statistics.intervals import group_interval
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-149", "REQ-393")

MEANS = [0.86, 0.79, 0.83, 0.90, 0.81, 0.87]


@settings(max_examples=40)
@given(st.integers(-300, 1400), st.integers(1, 2000), st.integers(1, 800))
def test_the_noncentral_t_is_that_of_scipy(hundredths: int, freedom: int, shifted: int) -> None:
    """In hundredths: SciPy gives no number for a t of 1e-114."""
    t, shift = hundredths / 100, shifted / 100
    assert upper_tail(t, freedom, shift) == pytest.approx(stats.nct.sf(t, freedom, shift), abs=1e-7)


@settings(max_examples=40)
@given(st.floats(0.01, 0.99), st.integers(1, 500))
def test_chi_squared_is_that_of_scipy(share: float, freedom: int) -> None:
    assert chi_squared_quantile(share, freedom) == pytest.approx(stats.chi2.ppf(share, freedom), rel=1e-9)


def test_without_freedom_there_is_no_distribution() -> None:
    for made in (
        lambda: upper_tail(1.0, 0, 1.0),
        lambda: chi_squared_quantile(0.5, 0),
        lambda: chi_squared_quantile(1.0, 3),
    ):
        with pytest.raises(UsageError, match="degree"):
            made()


@settings(max_examples=25)
@given(
    st.lists(st.floats(0.5, 1), min_size=2, max_size=9, unique=True),
    st.floats(0.3, 0.9),
    st.sampled_from([0.95, 0.983]),
)
def test_one_group_fewer_has_too_little_power(means: list[float], limit: float, level: float) -> None:
    found = groups_needed(means, limit, level=level)
    inside = np.mean(means) - limit
    if found.needed is None:
        assert inside <= 0 or power_of(inside, found.spread, MOST_GROUPS, level) < 0.8
        return
    assert power_of(inside, found.spread, found.needed, level) >= 0.8
    assert found.needed == 2 or power_of(inside, found.spread, found.needed - 1, level) < 0.8
    assert found.cautious is None or found.cautious >= found.needed


@pytest.mark.parametrize("drawn", ["normal", "beta"])
def test_so_many_groups_show_the_limit_in_four_of_five_evaluations(drawn: str) -> None:
    """300 evaluations with the number of groups that is stated, judged by the intervals of evaluations."""
    mean, spread, limit = 18 / 21, math.sqrt(18 * 3 / (21**2 * 22)), 0.80
    draw = random.Random(11)  # noqa: S311  repeatable
    planned = [mean + spread * one for one in (-1.0, -0.5, 0.5, 1.0)]
    scale = spread / np.std(planned, ddof=1)
    needed = groups_needed([mean + scale * (one - mean) for one in planned], limit).needed
    assert needed is not None
    assert needed == pytest.approx(16, abs=2)

    def value() -> float:
        return draw.gauss(mean, spread) if drawn == "normal" else draw.betavariate(18, 3)

    names = [f"g{place}" for place in range(needed)]
    times = student_t(0.95, needed - 1)
    shown = 0
    for _ in range(300):
        sample = [value() for _ in names]
        shown += bool(np.mean(sample) - times * np.std(sample, ddof=1) / math.sqrt(needed) >= limit)
    interval = group_interval(sample, names, resamples=100, seed=0)
    assert interval.lower == pytest.approx(np.mean(sample) - times * np.std(sample, ddof=1) / math.sqrt(needed))
    assert shown / 300 == pytest.approx(0.8, abs=0.08)


def test_the_sentence_states_what_it_rests_on() -> None:
    found = groups_needed(MEANS, 0.80, seed=4)
    assert found.needed is not None
    assert found.cautious is not None
    assert found.simulated_power == pytest.approx(0.8, abs=0.1)
    assert found.sentence("clDice of at least 0.80") == (
        f"To show clDice of at least 0.80 with this spread, {found.needed} groups are needed (power 80 %, interval of level "
        f"95 %; 6 groups were seen, mean 0.843, standard deviation 0.041). Of samples drawn from the groups that were seen, "
        f"{100 * found.simulated_power:.0f} % showed it. With the upper 80 % limit of the spread, {found.cautious} groups "
        "are needed."
    )
    assert found.cautious > found.needed


def test_the_cautious_number_takes_the_upper_limit_of_the_spread() -> None:
    found = groups_needed(MEANS, 0.80)
    upper = found.spread * math.sqrt(5 / stats.chi2.ppf(0.2, 5))
    assert found.cautious is not None
    assert power_of(found.mean - 0.80, upper, found.cautious, 0.95) >= 0.8
    assert power_of(found.mean - 0.80, upper, found.cautious - 1, 0.95) < 0.8


def test_a_mean_beyond_the_limit_shows_nothing_with_any_number() -> None:
    found = groups_needed(MEANS, 0.85)
    assert (found.needed, found.cautious, found.simulated_power) == (None, None, None)
    assert found.sentence("Dice of at least 0.85") == (
        "With the mean of 0.843 that was seen, no number of groups shows Dice of at least 0.85."
    )
    close = groups_needed(MEANS, 0.8433)
    assert close.needed is None
    assert close.sentence("it") == "To show it with this spread, more than 10,000 groups are needed."


def test_a_distance_shall_be_at_most_a_limit() -> None:
    up, down = groups_needed(MEANS, 0.80), groups_needed([-one for one in MEANS], -0.80, at_least=False)
    assert (up.needed, up.cautious) == (down.needed, down.cautious)


def test_groups_without_spread_and_fewest() -> None:
    assert groups_needed([0.9, 0.9], 0.8).needed == 2
    assert groups_needed([0.9, 0.9], 0.8, fewest=6).needed == 6
    assert groups_needed(MEANS[:3], 0.5).simulated_power is None


@pytest.mark.parametrize(
    ("means", "changes", "words"),
    [
        ([0.9], {}, "1 group shows no spread"),
        (MEANS, {"power": 1.0}, "between 0 and 1"),
        (MEANS, {"level": 0.0}, "between"),
    ],
)
def test_what_cannot_be_planned_is_refused(means: list[float], changes: dict[str, float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        groups_needed(means, 0.8, **changes)
