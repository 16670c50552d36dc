"""Every loss is small for the truth, large for its opposite, and has a gradient."""

from __future__ import annotations

import pytest
import torch

from minivess.ml.losses.registry import LOSSES, Loss

pytestmark = pytest.mark.verifies("SU-31")


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_is_small_for_the_truth_and_large_for_its_opposite(loss: Loss) -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    truth = 40 * labels - 20
    assert float(loss(truth, labels)) < 1e-3
    assert float(loss(-truth, labels)) > 10


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_has_a_gradient_towards_the_truth(loss: Loss) -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    logits = torch.zeros_like(labels, requires_grad=True)
    loss(logits, labels).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad < 0, labels == 1)
