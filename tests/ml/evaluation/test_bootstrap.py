"""The cluster bootstrap: seeded, by subject, and honest about dependence."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.evaluation.bootstrap import bootstrap_mean

pytestmark = pytest.mark.verifies("SU-33")


@pytest.mark.verifies("REQ-024")
def test_the_same_seed_gives_the_same_interval_around_the_mean() -> None:
    values, subjects = [0.81, 0.93, 0.72, 0.95, 0.88, 0.64, 0.79], ["a", "a", "b", "c", "d", "e", "f"]
    first = bootstrap_mean(values, subjects, resamples=500, seed=4)
    assert first == bootstrap_mean(values, subjects, resamples=500, seed=4)
    assert first != bootstrap_mean(values, subjects, resamples=500, seed=5)
    assert first.mean == pytest.approx(np.mean(values))
    assert first.lower < first.mean < first.upper
    assert first.n == 7


@pytest.mark.verifies("REQ-024")
def test_cases_of_one_subject_do_not_narrow_the_interval() -> None:
    """Thirty copies of three subjects know no more than the three: by subject the width stays."""
    base, names = [0.6, 0.8, 1.0], ["a", "b", "c"]
    once = bootstrap_mean(base, names, resamples=4000, seed=0)
    copied = bootstrap_mean(base * 30, names * 30, resamples=4000, seed=0)
    as_if_independent = bootstrap_mean(base * 30, [str(i) for i in range(90)], resamples=4000, seed=0)
    assert copied.upper - copied.lower == pytest.approx(once.upper - once.lower, rel=0.05)
    assert as_if_independent.upper - as_if_independent.lower < 0.5 * (copied.upper - copied.lower)


def test_one_subject_alone_has_an_interval_without_width() -> None:
    interval = bootstrap_mean([0.5, 0.7], ["a", "a"], resamples=100, seed=0)
    assert interval.lower == pytest.approx(interval.upper)


@pytest.mark.parametrize(("values", "subjects"), [([], []), ([0.1], ["a", "b"]), ([float("nan")], ["a"])])
def test_what_cannot_be_averaged_is_refused(values: list[float], subjects: list[str]) -> None:
    with pytest.raises(UsageError):
        bootstrap_mean(values, subjects, resamples=100, seed=0)


@pytest.mark.verifies("REQ-024")
def test_one_subject_has_a_mean_but_no_interval() -> None:
    alone = bootstrap_mean([0.7, 0.75], ["a", "a"], resamples=500, seed=0)
    assert alone.mean == pytest.approx(0.725)
    assert (alone.lower, alone.upper) == (None, None)
    assert alone.words() == "no interval: one subject"
