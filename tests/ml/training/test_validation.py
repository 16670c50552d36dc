"""Which cases a validation during training is made on, and what it finds."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import strategies as st

from minivess.ml.training.validation import MOST_GROUPS, validation_cases
from tests.support.properties import given

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-371")]


@given(st.lists(st.integers(0, 60), max_size=120), st.floats(0, 0.5), st.integers(0, 3))
def test_whole_groups_are_drawn_and_something_is_left_to_learn_from(stated: list[int], share: float, seed: int) -> None:
    groups = {f"case-{number}": f"group-{name}" for number, name in enumerate(stated)}
    drawn = validation_cases(groups, share, seed=seed)
    held = {groups[case] for case in drawn.cases}
    assert [case for case in groups if case in drawn.cases] == list(drawn.cases)
    assert {case for case in groups if groups[case] in held} == set(drawn.cases)
    assert bool(drawn.cases) == (drawn.note is None)
    assert len(held) <= min(MOST_GROUPS, share * len(set(stated)) + 1e-6)
    if drawn.cases:
        assert held < set(groups.values())
    assert validation_cases(dict(reversed(groups.items())), share, seed=seed).cases == tuple(reversed(drawn.cases))


def test_a_fifth_of_the_groups_is_drawn_by_seed() -> None:
    groups = {f"case-{number}": f"animal-{number // 2}" for number in range(40)}
    drawn = Counter(case for seed in range(50) for case in validation_cases(groups, 0.2, seed=seed).cases)
    assert len(validation_cases(groups, 0.2, seed=0).cases) == 8
    assert len(drawn) == 40


@pytest.mark.parametrize(
    ("groups", "share", "why"),
    [
        (4, 0.2, "the training part has 4 independent groups, and a validation on a share of 0.2 needs 5"),
        (1, 0.5, "the training part has 1 independent group, and a validation on a share of 0.5 needs 2"),
        (50, 0.0, "training.validation.share is 0"),
    ],
)
def test_it_is_said_why_there_is_no_validation(groups: int, share: float, why: str) -> None:
    table = {f"case-{number}": str(number) for number in range(groups)}
    assert validation_cases(table, share, seed=0) == ((), why)
