"""Dice against its definition by sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.foundation.errors import InputError
from minivess.ml.measures.dice import dice
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-33")

masks = arrays(np.bool_, (3, 4, 5))


@pytest.mark.verifies("REQ-024")
@given(masks, masks)
def test_dice_is_twice_the_intersection_over_the_sum(first: np.ndarray, second: np.ndarray) -> None:
    a, b = {tuple(p) for p in np.argwhere(first)}, {tuple(p) for p in np.argwhere(second)}
    expected = 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0
    assert dice(first, second) == pytest.approx(expected)
    assert dice(second, first) == dice(first, second)


@pytest.mark.verifies("REQ-024")
def test_dice_of_empty_masks_follows_the_conventions() -> None:
    empty, full = np.zeros((2, 2, 2), np.uint8), np.ones((2, 2, 2), np.uint8)
    assert dice(empty, empty) == 1.0
    assert dice(empty, full) == 0.0


@given(
    st.sampled_from(
        [np.full((2, 2, 2), 2), np.full((2, 2, 2), 0.5), np.zeros((2, 2)), np.zeros((2, 2, 3)), np.zeros((2, 2, 2, 1))]
    )
)
def test_masks_that_are_none_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError):
        dice(bad, np.zeros((2, 2, 2), np.uint8))
