"""Where MONAI has the same loss, the values agree; slow because MONAI takes long to import."""

from __future__ import annotations

import pytest

from tests.support.lazy_modules import lazily

with lazily(
    "torch",
    "monai",
    "monai.losses",
    "monai.losses.cldice",
    "minivess.ml.losses.registry",
    "minivess.ml.losses.soft_skeleton",
):
    import torch
    from monai import losses as theirs
    from monai.losses import cldice as their_cldice

    from minivess.ml.losses import registry, soft_skeleton

pytestmark = [pytest.mark.slow, pytest.mark.verifies("SU-31", "REQ-350")]

NO_SMOOTHING = {"smooth_nr": 0.0, "smooth_dr": 0.0, "batch": True}


def _drawn(number: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    logits = 2 * torch.randn(3, number, *shape, generator=generator)
    return logits, torch.randint(0, max(number, 2), (3, 1, *shape), generator=generator).float()


@pytest.mark.parametrize("shape", [(8, 8), (4, 6, 8)])
@pytest.mark.parametrize("number", [1, 3])
def test_values_are_those_of_monai(number: int, shape: tuple[int, ...]) -> None:
    logits, labels = _drawn(number, shape)
    several = number > 1
    kind = {"sigmoid": not several, "softmax": several, "to_onehot_y": several, "include_background": not several}
    entropy = theirs.DiceCELoss(**kind, **NO_SMOOTHING)(logits, labels)
    # include_background also leaves the background out of MONAI's focal loss, so Dice and focal loss are taken apart
    dice = theirs.DiceLoss(**kind, **NO_SMOOTHING)(logits, labels)
    focal = theirs.FocalLoss(use_softmax=several, to_onehot_y=several, gamma=2.0)(logits, labels)
    tversky = theirs.TverskyLoss(**kind, **NO_SMOOTHING, alpha=0.3, beta=0.7)(logits, labels)
    for name, value in {
        "dice-cross-entropy": entropy,
        "dice-focal": dice + focal * number,  # MONAI's is the mean over the outputs too
        "tversky": tversky,
    }.items():
        assert float(registry.loss_of(name)(logits, labels)) == pytest.approx(float(value), rel=1e-5), name


@pytest.mark.parametrize("shape", [(16, 16), (8, 12, 16)])
def test_soft_skeletons_are_those_of_monai(shape: tuple[int, ...]) -> None:
    maps = torch.rand((2, 1, *shape), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(soft_skeleton.soft_skeleton(maps, 4), their_cldice.soft_skel(maps, 4))
