"""One conformance suite for every adapter: shapes, seeds, classes, weights and export. Slow: MONAI is imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.records.data.dataset import LabelClass
from minivess.records.models.networks.network import NetworkSpec
from minivess.records.models.task import SegmentationTask
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily("torch", "onnxruntime", "minivess.ml.models.registry", "minivess.ml.models.weights"):
    import onnxruntime
    import torch

    from minivess.ml.models import registry, weights

pytestmark = [pytest.mark.slow, pytest.mark.verifies("SU-29", "REQ-320")]

ARTERY_AND_VEIN = (LabelClass(value=1, name="artery"), LabelClass(value=2, name="vein"))
TASKS = {
    "one class in grey volumes": SegmentationTask(),
    "two classes in colour pictures": SegmentationTask(channels=3, axes="yx", classes=ARTERY_AND_VEIN),
    "two classes in volumes of two channels": SegmentationTask(channels=2, classes=ARTERY_AND_VEIN),
}
SMALL: dict[str, dict[str, object]] = {
    "segresnet": {"filters": 4},
    "unet": {"filters": 4},
    "dynunet": {"filters": 4},
    "swinunetr": {"depth": 1, "dropout": 0.1},
    "resnet34-unet": {"depth": 3, "width": 4},
}


def _trials() -> Iterator[tuple[NetworkSpec, SegmentationTask]]:
    """Each family with each task that it takes, at its smallest patch."""
    for name, adapter in registry.ADAPTERS.items():
        for task in TASKS.values():
            if task.axes in adapter.axes:
                spec = read_specification({"architecture": name, **SMALL[name]})
                smallest = adapter.smallest(spec)
                sides = (smallest,) * (len(task.axes) - 1) + (smallest + adapter.divisor(spec),)
                yield spec.model_copy(update={"patch": sides}), task


TRIALS = [
    pytest.param(spec, task, id=f"{spec.architecture}-{task.words.replace(' ', '_')}") for spec, task in _trials()
]


@pytest.mark.parametrize(("spec", "task"), TRIALS)
def test_a_family_keeps_the_contract(spec: NetworkSpec, task: SegmentationTask, tmp_path: Path) -> None:
    adapter = registry.adapter_of(spec.architecture)
    before = torch.random.get_rng_state()
    one, two, other = (registry.build_network(spec, task, seed=seed).eval() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random state is left as it was"
    digest = weights.weights_digest(one.state_dict())
    assert digest == weights.weights_digest(two.state_dict()) != weights.weights_digest(other.state_dict())

    patches = torch.randn(2, task.channels, *spec.patch, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answer = adapter.forward(one, patches)
    assert answer.logits.shape == (2, task.outputs, *spec.patch)
    assert answer.logits.dtype == torch.float32
    probabilities = answer.probabilities
    if task.outputs == 1:
        foreground = probabilities
    else:
        assert torch.allclose(probabilities.sum(dim=1), torch.ones(2, *spec.patch), atol=1e-5)
        foreground = 1 - probabilities[:, :1]
    assert 0.01 < float(foreground.mean()) < 0.4, "a new network expects little foreground"

    assert adapter.trainable_parameters(one) == sum(tensor.numel() for tensor in one.parameters())
    assert adapter.has_dropout(one) is (spec.architecture == "swinunetr")

    path = tmp_path / "weights.safetensors"
    assert weights.save_weights(path, one.state_dict()) == digest
    adapter.load(other, path, expected=digest)
    assert weights.weights_digest(other.state_dict()) == digest
    stranger = torch.nn.Conv2d(1, 1, 1)
    with pytest.raises(InputError, match="which the network"):
        adapter.load(stranger, path)


LAST = {trial.values[0].architecture: trial for trial in TRIALS}


@pytest.mark.parametrize(("spec", "task"), LAST.values())
def test_the_exported_graph_repeats_the_network(spec: NetworkSpec, task: SegmentationTask) -> None:
    adapter, network = registry.adapter_of(spec.architecture), registry.build_network(spec, task, seed=1).eval()
    patch = torch.randn(1, task.channels, *spec.patch, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = adapter.forward(network, patch).logits.numpy()
    session = onnxruntime.InferenceSession(adapter.export(network, spec, task), providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"patch": patch.numpy()})
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize(("spec", "task"), LAST.values())
def test_each_voxel_can_reach_every_class_by_training(spec: NetworkSpec, task: SegmentationTask) -> None:
    network = registry.build_network(spec, task, seed=0)
    patches = torch.randn(2, task.channels, *spec.patch, generator=torch.Generator().manual_seed(0))
    registry.adapter_of(spec.architecture).forward(network, patches).logits.sum(
        dim=(0, *range(2, 2 + len(spec.patch)))
    )[-1].backward()
    assert any(one.grad is not None and bool(one.grad.any()) for one in network.parameters())
