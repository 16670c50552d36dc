"""Losses."""

from __future__ import annotations

import pytest
import torch

from minivess.ml.losses.dice_cross_entropy import dice_and_cross_entropy

pytestmark = pytest.mark.verifies("SU-31")


def test_the_loss_is_small_for_the_truth_and_large_for_its_opposite() -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    truth = 40 * labels - 20
    assert float(dice_and_cross_entropy(truth, labels)) < 1e-3
    assert float(dice_and_cross_entropy(-truth, labels)) > 10
