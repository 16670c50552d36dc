"""The soft skeleton, and what clDice and the boundary loss add to Dice."""

from __future__ import annotations

import pytest

from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.losses.soft_skeleton", "minivess.ml.losses.registry", "minivess.ml.losses.boundary"):
    import torch

    from minivess.ml.losses import boundary, loss, registry, soft_skeleton

pytestmark = pytest.mark.verifies("SU-31", "REQ-350")


def _bar() -> torch.Tensor:
    """A bar of 5 by 17 pixels in a picture of 15 by 27."""
    picture = torch.zeros((1, 1, 15, 27))
    picture[0, 0, 5:10, 5:22] = 1
    return picture


def test_the_skeleton_of_a_bar_is_its_middle_line() -> None:
    bar = _bar()
    found = soft_skeleton.soft_skeleton(bar, soft_skeleton.erosions_of(bar))[0, 0]
    assert soft_skeleton.erosions_of(bar) == 3
    assert (found[7, 7:20] == 1).all()
    assert (found[[5, 9], 7:20] == 0).all()
    assert float(found.sum()) < 30


def test_thick_structures_have_at_most_ten_erosions() -> None:
    assert soft_skeleton.erosions_of(torch.ones((1, 1, 64, 64))) == 10
    assert soft_skeleton.erosions_of(torch.zeros((1, 1, 8, 8))) == 0


def test_the_gradient_of_a_skeleton_is_that_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand((1, 1, 2, 3, 4), generator=generator, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda one: soft_skeleton.soft_skeleton(one, 1), (maps,))


def test_cldice_counts_a_gap_more_than_as_many_pixels_at_the_edge() -> None:
    truth = _bar()
    gap, edge = truth.clone(), truth.clone()
    gap[0, 0, 5:10, 12:14] = 0
    edge[0, 0, 9, 6:16] = 0
    assert gap.sum() == edge.sum()
    differences = {}
    for name in ("cldice", "dice-cross-entropy"):
        minimised = registry.loss_of(name)
        differences[name] = float(minimised(10 * gap - 5, truth)) - float(minimised(10 * edge - 5, truth))
    assert differences["cldice"] > 0.02
    assert abs(differences["dice-cross-entropy"]) < 1e-5


def test_the_boundary_loss_has_the_gradient_of_signed_distances() -> None:
    truth = torch.zeros((1, 1, 1, 6))
    truth[..., 2:4] = 1
    probabilities = torch.full_like(truth, 0.5, requires_grad=True)
    boundary.boundary_terms(loss.ClassMaps(probabilities, truth)).sum().backward()
    assert probabilities.grad is not None
    distances = torch.tensor([1.5, 0.5, -0.5, -0.5, 0.5, 1.5])
    assert torch.allclose(probabilities.grad.flatten(), distances / 37**0.5 / 6)


def test_the_boundary_loss_counts_a_far_false_pixel_more_than_a_near_one() -> None:
    truth = _bar()
    near, far = truth.clone(), truth.clone()
    near[0, 0, 4, 10], far[0, 0, 0, 26] = 1, 1
    minimised = registry.loss_of("boundary")
    assert float(minimised(10 * far - 5, truth)) > float(minimised(10 * near - 5, truth)) + 1e-4
