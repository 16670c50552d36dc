"""Every loss is small for the truth, large for its opposite, and has a gradient."""

from __future__ import annotations

import pytest

from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.losses.registry"):
    import torch

    from minivess.ml.losses import registry

pytestmark = pytest.mark.verifies("SU-31")


def test_a_loss_is_small_for_the_truth_and_large_for_its_opposite() -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    truth = 40 * labels - 20
    for name, loss in registry.LOSSES.items():
        assert float(loss(truth, labels)) < 1e-3, name
        assert float(loss(-truth, labels)) > 10, name


def test_a_loss_has_a_gradient_towards_the_truth() -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    for name, loss in registry.LOSSES.items():
        logits = torch.zeros_like(labels, requires_grad=True)
        loss(logits, labels).backward()
        assert logits.grad is not None, name
        assert torch.equal(logits.grad < 0, labels == 1), name
