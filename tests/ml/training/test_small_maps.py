"""Training in bf16 with maps that are smaller than a kernel."""

from __future__ import annotations

import itertools

import pytest

from minivess.records.models.networks.unet import UNetSpec
from minivess.records.models.training import TrainingSpec
from tests.support.lazy_modules import lazily

with lazily("torch", "minivess.ml.training.execution.network_options"):
    import torch

    from minivess.ml.training.execution import network_options

pytestmark = [pytest.mark.verifies("SU-31"), pytest.mark.verifies("REQ-364")]


@pytest.mark.parametrize("sides", [(2, 4, 4), (4, 4, 2), (2, 2, 2), (3, 3, 3), (6, 8, 8)])
def test_gradients_in_bf16_are_those_of_fp32_but_for_rounding(sides: tuple[int, ...]) -> None:
    found: dict[str, list[torch.Tensor]] = {}
    kinds: dict[str, set[torch.dtype]] = {}
    for precision, channels in itertools.product(("fp32", "bf16"), (4, 16)):
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Conv3d(1, channels, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv3d(channels, 1, 3, padding=1)
        )
        training = TrainingSpec.model_validate({"precision": precision})
        trained = network_options.prepared(network, UNetSpec(), training).train()
        patch = torch.randn(2, 1, *sides)
        damaged = [torch.full((size,), float("nan")) for size in (10, 100, 1000, 5000, 20000)]
        del damaged  # memory that nobody writes before it is used has no numbers
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            [answer] = trained(patch)
        answer.float().square().sum().backward()
        found.setdefault(precision, []).extend(one.grad for one in network.parameters() if one.grad is not None)
        kinds.setdefault(precision, set()).add(answer.dtype)
        assert trained.release() is network
        assert all("forward" not in vars(module) for module in network.modules())
    assert kinds["bf16"] == {torch.float32 if min(sides) < 3 else torch.bfloat16}
    for exact, rounded in zip(found["fp32"], found["bf16"], strict=True):
        assert float((exact - rounded).abs().max()) <= 0.05 * float(exact.abs().max()) + 1e-3
