"""Logits, probabilities, masks and indices of one class and of several."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.ml.inference.answers import class_indices, class_probabilities, logits_of, mask_of, probabilities_of
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
