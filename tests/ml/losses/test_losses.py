"""What every loss keeps: bounds, least at the truth, the same for a batch in another order or turned, and gradients."""

from __future__ import annotations

from typing import get_args

import pytest

from minivess.foundation.errors import UsageError
from minivess.records.models.training import LossName
from tests.support.lazy_modules import lazily
from tests.support.properties import given, settings, strategies

with lazily("torch", "minivess.ml.losses.registry"):
    import torch

    from minivess.ml.losses import registry

pytestmark = pytest.mark.verifies("SU-31", "REQ-350")

NAMES = get_args(LossName)
WITH_ENTROPY = ("dice-cross-entropy", "dice-focal", "dice-cross-entropy-cldice")
LARGEST = {"tversky": 1.0, "cldice": 1.0, "boundary": 2.0}
"""Losses without a limit are not here."""
SHAPES = ((4, 6, 8), (8, 8), (1, 2, 5))
seeds = strategies.integers(0, 1 << 30)
shapes = strategies.sampled_from(SHAPES)
outputs = strategies.sampled_from((1, 3))
every_loss = pytest.mark.parametrize("name", NAMES)


def _drawn(seed: int, number: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels of a batch of two patches; some classes are in one patch or in none."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, number, *shape, generator=generator)
    classes = int(torch.randint(1, max(number, 2) + 1, (), generator=generator))
    return logits, torch.randint(0, classes, (2, 1, *shape), generator=generator).float()


def _true(labels: torch.Tensor, number: int, height: float = 20) -> torch.Tensor:
    """Logits that are sure of the labels."""
    if number == 1:
        return height * (2 * labels - 1)
    return height * torch.nn.functional.one_hot(labels[:, 0].long(), number).movedim(-1, 1).float()


def test_each_name_of_the_project_file_has_a_loss() -> None:
    assert tuple(registry.LOSSES) == NAMES


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(UsageError, match="no loss 'dice'"):
        registry.loss_of("dice")


@every_loss
def test_a_loss_is_small_for_the_truth_and_large_for_its_opposite(name: str) -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    loss = registry.loss_of(name)
    assert float(loss(_true(labels, 1), labels)) < 1e-3
    assert float(loss(-_true(labels, 1), labels)) > (10 if name in WITH_ENTROPY else 0.7)


@every_loss
def test_a_loss_has_a_gradient_towards_the_truth(name: str) -> None:
    labels = (torch.arange(64).reshape(1, 1, 4, 4, 4) % 3 == 0).float()
    logits = torch.zeros_like(labels, requires_grad=True)
    registry.loss_of(name)(logits, labels).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad < 0, labels == 1)


@pytest.mark.verifies("REQ-336")
@every_loss
@pytest.mark.parametrize("shape", [(4, 4, 4), (8, 8)])
def test_a_loss_of_several_classes_wants_each_class_where_it_is(name: str, shape: tuple[int, ...]) -> None:
    indices = torch.arange(64).reshape(1, *shape) % 3
    labels = indices[:, None].float()
    truth, loss = _true(labels, 3), registry.loss_of(name)
    assert float(loss(truth, labels)) < 1e-3
    assert float(loss(truth[:, [0, 2, 1]], labels)) > (5 if name in WITH_ENTROPY else 0.7)
    logits = torch.zeros_like(truth, requires_grad=True)
    loss(logits, labels).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.argmin(dim=1), indices)


@every_loss
@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("present", [0, 1])
@pytest.mark.parametrize("sure", [0.0, 1e4, -1e4])
def test_an_empty_or_full_mask_has_a_finite_loss_and_gradient(
    name: str, number: int, present: int, sure: float
) -> None:
    labels = torch.full((1, 1, 4, 6), float(present))
    logits = torch.zeros((1, number, 4, 6))
    logits[:, -1] = sure
    logits.requires_grad_()
    loss = registry.loss_of(name)(logits, labels)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
    if not sure:
        wanted = logits.grad[:, min(present, number - 1)]
        assert ((wanted < 0) if number > 1 or present else (wanted > 0)).all()


@every_loss
@settings(max_examples=5)
@given(seed=seeds, number=outputs, shape=shapes)
def test_a_loss_is_least_at_the_truth_and_never_beyond_its_limit(
    name: str, seed: int, number: int, shape: tuple[int, ...]
) -> None:
    logits, labels = _drawn(seed, number, shape)
    loss = registry.loss_of(name)
    least = float(loss(_true(labels, number, 40), labels))
    assert least == pytest.approx(0, abs=1e-6)
    assert -1e-6 <= float(loss(logits, labels)) <= LARGEST.get(name, torch.inf) + 1e-6


@every_loss
@settings(max_examples=5)
@given(seed=seeds, number=outputs, shape=shapes)
def test_order_of_the_batch_mirrors_and_turns_do_not_matter(
    name: str, seed: int, number: int, shape: tuple[int, ...]
) -> None:
    logits, labels = _drawn(seed, number, shape)
    loss = registry.loss_of(name)

    def gradient(one: torch.Tensor, truth: torch.Tensor) -> tuple[float, torch.Tensor]:
        leaf = one.clone().requires_grad_()
        value = loss(leaf, truth)
        value.backward()
        assert leaf.grad is not None
        return float(value.detach()), leaf.grad

    value, first = gradient(logits, labels)
    turns = tuple(reversed(range(2, logits.ndim)))
    for change in (lambda one: one.flip(0, 2), lambda one: one.permute(0, 1, *turns)):
        again, changed = gradient(change(logits).contiguous(), change(labels).contiguous())
        assert again == pytest.approx(value, abs=1e-5)
        assert torch.allclose(changed, change(first), atol=1e-6)


@every_loss
@settings(max_examples=4)
@given(seed=seeds, number=outputs, shape=shapes)
def test_half_precision_loses_nothing_but_the_rounding_of_the_logits(
    name: str, seed: int, number: int, shape: tuple[int, ...]
) -> None:
    logits, labels = _drawn(seed, number, shape)
    loss = registry.loss_of(name)
    for half in (torch.bfloat16, torch.float16):
        leaf = (100 * logits).to(half).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(leaf, labels)
        value.backward()
        assert value.dtype == torch.float32
        assert float(value.detach()) == pytest.approx(float(loss(leaf.detach().float(), labels)), rel=1e-6)
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


@pytest.mark.verifies("REQ-351", "RC-146")
@every_loss
@pytest.mark.parametrize("number", [1, 3])
def test_a_class_that_the_batch_lacks_is_unlearned_where_it_fills_the_patch(name: str, number: int) -> None:
    labels = torch.zeros((1, 1, 16, 32, 32))
    logits = torch.zeros((1, number, 16, 32, 32))
    logits[:, -1] = 1.0
    logits.requires_grad_()
    registry.loss_of(name)(logits, labels).backward()
    assert logits.grad is not None
    assert (logits.grad[:, -1] > 0).all()
    assert float(logits.grad[:, -1].sum()) > 0.05, "the gradient vanishes with the size of the patch"


@every_loss
@settings(max_examples=4)
@given(seed=seeds, shape=shapes)
def test_weights_count_a_class_more_and_equal_weights_change_nothing(
    name: str, seed: int, shape: tuple[int, ...]
) -> None:
    logits, labels = _drawn(seed, 3, shape)
    plain = float(registry.loss_of(name)(logits, labels))
    assert float(registry.loss_of(name, weights=(1.0, 1.0))(logits, labels)) == pytest.approx(plain, rel=1e-5)
    labels[0].view(-1)[:3] = torch.tensor([0.0, 1.0, 2.0])
    missed = _true(torch.where(labels == 1, 0.0, labels), 3)  # all of class 1 is taken for background
    first, second = (
        float(registry.loss_of(name, weights=weights)(missed, labels)) for weights in ((9.0, 1.0), (1.0, 9.0))
    )
    assert first > second


@every_loss
def test_weights_of_another_number_of_classes_are_refused(name: str) -> None:
    labels = torch.zeros((1, 1, 4, 4))
    with pytest.raises(UsageError, match=r"training\.class_weights has 1 number for 2 classes"):
        registry.loss_of(name, weights=(2.0,))(torch.zeros((1, 3, 4, 4)), labels)


def test_a_weight_of_one_class_changes_its_entropy() -> None:
    labels = torch.tensor([[[[0.0, 1.0]]]])
    logits = torch.zeros((1, 1, 1, 2), requires_grad=True)
    registry.loss_of("dice-cross-entropy", weights=(3.0,))(logits, labels).backward()
    assert logits.grad is not None
    assert float(-logits.grad[0, 0, 0, 1]) > 2 * float(logits.grad[0, 0, 0, 0])


def test_dice_is_counted_over_the_whole_batch_and_not_patch_by_patch() -> None:
    labels = torch.zeros((2, 1, 4, 4))
    labels[0, 0, :, :2], labels[1, 0, 0, 0] = 1, 1
    logits = _true(labels, 1, 3.0)
    probability = logits.sigmoid()
    overlap = 2 * float((probability * labels).sum()) / float(probability.sum() + labels.sum())
    entropy = float(torch.nn.functional.binary_cross_entropy_with_logits(logits, labels))
    found = float(registry.loss_of("dice-cross-entropy")(logits, labels))
    assert found == pytest.approx(1 - overlap + entropy, rel=1e-5)
