"""Logits, probabilities, masks and indices of one class and of several."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.inference.answers import (
    LARGEST_LOGIT,
    class_indices,
    class_probabilities,
    log_probabilities_of,
    logits_of,
    logits_of_log,
    mask_of,
    probabilities_of,
)
from minivess.records.data.dataset import LabelClass
from minivess.records.models.task import SegmentationTask
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-30")

VESSELS = SegmentationTask(classes=(LabelClass(value=2, name="artery"), LabelClass(value=7, name="vein")))


@given(outputs=st.integers(1, 5), seed=st.integers(0, 50), axis=st.sampled_from([0, 1]))
def test_probabilities_sum_to_one_and_their_logits_give_them_back(outputs: int, seed: int, axis: int) -> None:
    shape = (outputs, 3, 4) if axis == 0 else (2, outputs, 3)
    logits = np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)
    probabilities = probabilities_of(logits, axis=axis)
    if outputs > 1:
        np.testing.assert_allclose(probabilities.sum(axis=axis), 1, atol=1e-6)
    np.testing.assert_allclose(
        probabilities_of(logits_of(probabilities, axis=axis), axis=axis), probabilities, atol=2e-6
    )


def test_extreme_logits_do_not_overflow() -> None:
    logits = np.array([[-1e4, 1e4], [1e4, -1e4], [0, 0]], np.float32)
    assert probabilities_of(logits).tolist() == [[0, 1], [1, 0], [0, 0]]


@given(outputs=st.integers(1, 4), axis=st.sampled_from([0, 1]), seed=st.integers(0, 50), size=st.sampled_from([1, 13]))
def test_logits_come_back_through_log_probabilities(outputs: int, axis: int, seed: int, size: int) -> None:
    shape = (outputs, 3, 4) if axis == 0 else (2, outputs, 3)
    logits = np.clip(np.random.default_rng(seed).normal(0, size, shape), -13.5, 13.5).astype(np.float32)
    again = logits_of_log(log_probabilities_of(logits, axis=axis), outputs=outputs, axis=axis)
    assert again.dtype == np.float32
    if outputs == 1:
        np.testing.assert_allclose(again, logits, atol=1e-5)
    np.testing.assert_allclose(probabilities_of(again, axis=axis), probabilities_of(logits, axis=axis), atol=5e-6)


@pytest.mark.verifies("REQ-018")
def test_the_mean_of_members_that_are_sure_of_a_voxel_keeps_its_logit() -> None:
    """Single precision holds a probability near 1 to 6e-8, which at a logit of 13 is an error of 3 %."""
    members = np.array([[[12.0, 13.0, -9.0, 1.0, 60.0]], [[13.0, 12.5, -13.0, -2.0, 80.0]]], np.float32)
    found = logits_of_log(
        np.logaddexp.reduce(np.stack([log_probabilities_of(one) for one in members]), axis=0) - np.log(2), outputs=1
    )
    exact = members.astype(np.float64)
    present, absent = ((1 / (1 + np.exp(sign * exact))).mean(axis=0) for sign in (-1, 1))
    wanted = np.log(present) - np.log(absent)
    np.testing.assert_allclose(found[:, :4], wanted[:, :4], rtol=1e-6)
    assert found[0, 4] == np.float32(LARGEST_LOGIT)


@pytest.mark.verifies("REQ-336")
def test_the_mask_of_several_classes_is_the_argmax_with_their_values() -> None:
    probabilities = np.array([[0.5, 0.2, 0.3, 0.4], [0.3, 0.5, 0.3, 0.2], [0.2, 0.3, 0.4, 0.4]], np.float32)
    assert mask_of(probabilities, VESSELS).tolist() == [0, 2, 7, 0]
    assert class_probabilities(probabilities).shape == (2, 4)


@pytest.mark.verifies("REQ-336")
def test_the_mask_of_one_class_is_what_reaches_the_threshold() -> None:
    probabilities = np.array([[0.2, 0.5, 0.9]], np.float32)
    task = SegmentationTask(classes=(LabelClass(value=3, name="wall"),))
    assert mask_of(probabilities, task).tolist() == [0, 3, 3]
    assert mask_of(probabilities, task, threshold=0.6).tolist() == [0, 0, 3]
    assert class_probabilities(probabilities).shape == (1, 3)


@pytest.mark.verifies("REQ-336")
def test_masks_become_indices_in_the_order_of_the_classes() -> None:
    mask = np.array([0, 7, 2, 7], np.uint8)
    assert class_indices(mask, VESSELS).tolist() == [0, 2, 1, 2]
    assert class_indices(mask, SegmentationTask()).tolist() == [0, 1, 1, 1]
