"""The cluster bootstrap: seeded, by subject, and equal to an independent writing on every Python."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path

import pytest

from minivess.foundation.errors import UsageError
from minivess.records.evaluation.statistics.intervals import mean_interval
from tests.support import interval_by_hand
from tests.support.interpreters import interpreters
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-04")

VALUES, SUBJECTS = [0.81, 0.93, 0.72, 0.95, 0.88, 0.64, 0.79], ["a", "a", "b", "c", "d", "e", "f"]


@st.composite
def questions(draw: st.DrawFn) -> dict[str, object]:
    number = draw(st.integers(1, 12))
    return {
        "values": draw(st.lists(st.floats(-1e6, 1e6), min_size=number, max_size=number)),
        "units": draw(st.lists(st.sampled_from(["a", "B", "ä", "z9", "z10"]), min_size=number, max_size=number)),
        "resamples": draw(st.integers(100, 300)),
        "seed": draw(st.integers(0, 2**40)),
        "level": draw(st.sampled_from([0.5, 0.9, 0.95, 1 - 0.05 / 3, 0.999])),
    }


@pytest.mark.verifies("REQ-215")
@settings(max_examples=60, deadline=None)
@given(questions())
def test_it_is_the_interval_of_an_independent_writing_bit_for_bit(question: dict) -> None:
    made = mean_interval(
        question["values"],
        question["units"],
        resamples=question["resamples"],
        seed=question["seed"],
        level=question["level"],
    )
    assert (made.mean, made.lower, made.upper) == interval_by_hand.interval(**question)
    assert (made.n, made.level) == (len(question["values"]), question["level"])


@pytest.mark.verifies("REQ-215")
@settings(max_examples=40, deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_the_cases_has_no_influence(question: dict, shuffle: random.Random) -> None:
    rows = list(zip(question["values"], question["units"], strict=True))
    shuffle.shuffle(rows)
    values, units = zip(*rows, strict=True)
    settled = {name: question[name] for name in ("resamples", "seed", "level")}
    assert mean_interval(values, units, **settled) == mean_interval(question["values"], question["units"], **settled)


@pytest.mark.verifies("REQ-215")
@pytest.mark.parametrize("interpreter", [pytest.param(path, id=name) for name, path in interpreters().items()])
def test_every_python_gives_the_same_bits(interpreter: Path) -> None:
    drawn = random.Random(7)  # noqa: S311
    values = [drawn.random() for _ in range(40)]
    units = [f"mouse-{drawn.randrange(17)}" for _ in values]
    question = {"values": values, "units": units, "resamples": 500, "seed": 2026, "level": 1 - 0.05 / 3}
    done = subprocess.run(
        [interpreter, "-I", interval_by_hand.__file__],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    made = mean_interval(values, units, resamples=500, seed=2026, level=1 - 0.05 / 3)
    assert json.loads(done.stdout) == [made.mean, made.lower, made.upper]


@pytest.mark.verifies("REQ-024")
def test_the_same_seed_gives_the_same_interval_around_the_mean() -> None:
    first = mean_interval(VALUES, SUBJECTS, resamples=500, seed=4)
    assert first == mean_interval(VALUES, SUBJECTS, resamples=500, seed=4)
    assert first != mean_interval(VALUES, SUBJECTS, resamples=500, seed=5)
    assert first.mean == math.fsum(VALUES) / 7
    assert first.lower < first.mean < first.upper
    assert first.n == 7


@pytest.mark.verifies("REQ-024", "REQ-215")
def test_a_known_interval_stays_what_it_is() -> None:
    """The figures of a registered plan must not change with a version."""
    made = mean_interval(VALUES, SUBJECTS, resamples=1000, seed=0)
    assert (made.lower, made.upper) == (0.7200000000000001, 0.8883333333333333)


@pytest.mark.verifies("REQ-024")
def test_ranks_are_taken_outward() -> None:
    """Of 101 resamples at level .5 the limits are those of ranks 25 and 75; at .51 of ranks 24 and 76."""
    values = [math.sqrt(number) for number in range(40)]
    units = [f"{number}" for number in range(40)]
    half = mean_interval(values, units, resamples=101, seed=3, level=0.5)
    wider = mean_interval(values, units, resamples=101, seed=3, level=0.51)
    everything = mean_interval(values, units, resamples=101, seed=3, level=0.9999)
    assert everything.lower < wider.lower < half.lower < half.upper < wider.upper < everything.upper


@pytest.mark.verifies("REQ-024")
def test_cases_of_one_subject_do_not_narrow_the_interval() -> None:
    """Thirty copies of three subjects know no more than the three: by subject the width stays."""
    base, names = [0.6, 0.8, 1.0], ["a", "b", "c"]
    once = mean_interval(base, names, resamples=4000, seed=0)
    copied = mean_interval(base * 30, names * 30, resamples=4000, seed=0)
    as_if_independent = mean_interval(base * 30, [str(i) for i in range(90)], resamples=4000, seed=0)
    assert copied.upper - copied.lower == pytest.approx(once.upper - once.lower, rel=0.05)
    assert as_if_independent.upper - as_if_independent.lower < 0.5 * (copied.upper - copied.lower)


@pytest.mark.parametrize(("values", "subjects"), [([], []), ([0.1], ["a", "b"]), ([float("nan")], ["a"])])
def test_what_cannot_be_averaged_is_refused(values: list[float], subjects: list[str]) -> None:
    with pytest.raises(UsageError):
        mean_interval(values, subjects, resamples=100, seed=0)


@pytest.mark.verifies("REQ-024")
def test_one_subject_has_a_mean_but_no_interval() -> None:
    alone = mean_interval([0.7, 0.75], ["a", "a"], resamples=500, seed=0)
    assert alone.mean == pytest.approx(0.725)
    assert (alone.lower, alone.upper) == (None, None)
    assert alone.words() == "no interval: one group"


def test_no_numerical_library_is_loaded() -> None:
    command = "import sys, minivess.records.evaluation.recomputation; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
