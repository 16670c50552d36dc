"""clDice: broken vessels cost, thin ones do not, and a total failure is 0."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.cldice import cldice
from minivess.ml.measures.dice import dice
from minivess.ml.measures.shapes.skeletons import skeleton
from tests.support.properties import given, settings

pytestmark = pytest.mark.verifies("SU-33")


def tube(radius: int) -> np.ndarray:
    mask = np.zeros((15, 15, 40), np.bool_)
    mask[7 - radius : 8 + radius, 7 - radius : 8 + radius, 2:38] = True
    return mask


@pytest.mark.verifies("REQ-024")
def test_a_thinner_prediction_keeps_cldice_while_dice_falls() -> None:
    assert cldice(tube(1), tube(3)) == pytest.approx(1.0)
    assert dice(tube(1), tube(3)) < 0.5


@pytest.mark.verifies("REQ-024")
def test_cldice_is_the_harmonic_mean_of_both_shares() -> None:
    whole = tube(2)
    half = whole.copy()
    half[:, :, 20:] = False
    sensitivity = np.count_nonzero(skeleton(whole) & half) / np.count_nonzero(skeleton(whole))
    assert cldice(half, whole) == pytest.approx(2 * sensitivity / (1 + sensitivity))


@pytest.mark.verifies("REQ-024")
def test_disjoint_masks_score_zero_and_not_nan() -> None:
    left, right = np.zeros((9, 9, 9), np.bool_), np.zeros((9, 9, 9), np.bool_)
    left[1:4, 1:4, 1:4] = True
    right[5:8, 5:8, 5:8] = True
    assert cldice(left, right) == 0.0


def test_cldice_of_empty_masks_follows_the_conventions() -> None:
    empty = np.zeros((15, 15, 40), np.bool_)
    assert cldice(empty, empty) == 1.0
    assert cldice(empty, tube(1)) == 0.0
    assert cldice(tube(1), empty) == 0.0


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (4, 6, 6)), arrays(np.bool_, (4, 6, 6)))
def test_cldice_is_symmetric_and_in_bounds(first: np.ndarray, second: np.ndarray) -> None:
    value = cldice(first, second)
    assert 0.0 <= value <= 1.0
    assert value == pytest.approx(cldice(second, first))
