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


@pytest.mark.verifies("REQ-336")
@pytest.mark.parametrize("shape", [(4, 4, 4), (8, 8)])
def test_a_loss_of_several_classes_wants_each_class_where_it_is(shape: tuple[int, ...]) -> None:
    indices = torch.arange(64).reshape(1, *shape) % 3
    labels = indices[:, None].float()
    truth = 20 * torch.nn.functional.one_hot(indices, 3).movedim(-1, 1).float()
    swapped = truth[:, [0, 2, 1]]
    for name, loss in registry.LOSSES.items():
        assert float(loss(truth, labels)) < 1e-3, name
        assert float(loss(swapped, labels)) > 5, name
        logits = torch.zeros_like(truth, requires_grad=True)
        loss(logits, labels).backward()
        assert logits.grad is not None, name
        assert torch.equal(logits.grad.argmin(dim=1), indices), name


def test_a_batch_without_foreground_still_has_a_loss_and_a_gradient() -> None:
    for name, loss in registry.LOSSES.items():
        logits = torch.zeros((1, 3, 4, 4), requires_grad=True)
        loss(logits, torch.zeros((1, 1, 4, 4))).backward()
        assert logits.grad is not None, name
        assert torch.isfinite(logits.grad).all(), name
        assert (logits.grad[:, 0] < 0).all(), name
