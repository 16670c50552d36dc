"""Weights as files and digests, and networks by seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.records.models.task import SegmentationTask
from tests.support.lazy_modules import lazily
from tests.support.specifications import read_specification

with lazily("torch", "minivess.ml.models.registry", "minivess.ml.models.weights"):
    import torch

    from minivess.ml.models import registry, weights

pytestmark = pytest.mark.verifies("SU-29")


def _state() -> dict[str, torch.Tensor]:
    return {"b": torch.arange(6, dtype=torch.float32).reshape(2, 3), "a": torch.tensor(3, dtype=torch.int64)}


def test_weights_survive_a_round_trip_with_their_digest(tmp_path: Path) -> None:
    digest = weights.save_weights(tmp_path / "w.pt", _state())
    loaded = weights.load_weights(tmp_path / "w.pt", expected=digest)
    assert weights.weights_digest(loaded) == digest == weights.weights_digest(_state())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in _state().items())


def test_the_digest_ignores_order_and_memory_layout() -> None:
    state = _state()
    turned = {"a": state["a"], "b": state["b"].t().contiguous().t()}
    assert weights.weights_digest(turned) == weights.weights_digest(state)


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "value"),
    [
        ("b", "float32", (3, 2), 3),
        ("b", "float64", (2, 3), 3),
        ("c", "float32", (2, 3), 3),
        ("b", "float32", (2, 3), 4),
    ],
    ids=["shape", "dtype", "name", "value"],
)
def test_the_digest_sees_every_difference(name: str, dtype: str, shape: tuple[int, int], value: int) -> None:
    matrix = torch.arange(6, dtype=getattr(torch, dtype)).reshape(shape)
    other = {name: matrix, "a": torch.tensor(value, dtype=torch.int64)}
    assert weights.weights_digest(other) != weights.weights_digest(_state())


def test_other_weights_than_expected_are_refused(tmp_path: Path) -> None:
    weights.save_weights(tmp_path / "w.pt", _state())
    with pytest.raises(VerificationError, match=r"w\.pt"):
        weights.load_weights(tmp_path / "w.pt", expected="sha256:" + "0" * 64)


class _Surprise:
    """Something other than a tensor."""


@pytest.mark.parametrize("content", ["missing", "text", "half", "object", "list"])
def test_files_that_hold_no_named_tensors_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.pt"
    if content == "text":
        path.write_text("no weights", encoding="utf-8")
    elif content == "half":
        weights.save_weights(path, _state())
        path.write_bytes(path.read_bytes()[:-4])
    elif content == "object":
        torch.save({"a": _Surprise()}, path)
    elif content == "list":
        torch.save([torch.zeros(2)], path)
    with pytest.raises(InputError):
        weights.load_weights(path)


def test_weights_of_another_network_are_refused_by_name() -> None:
    network = torch.nn.Linear(2, 3)
    own = dict(network.state_dict())
    weights.fill(network, {name: torch.zeros_like(tensor) for name, tensor in own.items()})
    assert not network.weight.any()
    for state, message in (
        ({"bias": own["bias"]}, "no tensor weight"),
        ({**own, "more": torch.zeros(1)}, "a tensor more"),
        ({**own, "weight": torch.zeros(2, 2)}, r"weight of shape \(2, 2\)"),
    ):
        with pytest.raises(InputError, match=message):
            weights.fill(network, state)


@pytest.mark.parametrize(
    ("said", "task", "message"),
    [
        ({"patch": (30, 64, 64)}, SegmentationTask(), "sides must be 8, 12, 16"),
        ({"patch": (64, 64)}, SegmentationTask(), "one for each of z, y, x"),
        ({"levels": 5, "patch": (32, 64, 72)}, SegmentationTask(), "sides must be 32, 48, 64"),
        ({"architecture": "swinunetr", "patch": (16, 64, 64)}, SegmentationTask(), "sides must be 32, 64, 96"),
        (
            {"architecture": "resnet34-unet", "patch": (96, 96)},
            SegmentationTask(axes="yx"),
            "sides must be 64, 96, 128",
        ),
        ({"architecture": "resnet34-unet"}, SegmentationTask(), "does not take volumes"),
    ],
)
def test_what_a_family_cannot_take_is_refused_before_a_library_is_loaded(
    said: dict[str, object], task: SegmentationTask, message: str
) -> None:
    spec = read_specification(said)
    if spec.patch == (96, 96):
        registry.adapter_of(spec.architecture).check(spec, task)
        spec = spec.model_copy(update={"patch": (100, 96)})
    with pytest.raises(UsageError, match=message):
        registry.build_network(spec, task, seed=0)


def test_every_family_has_an_adapter_and_every_adapter_a_record() -> None:
    for name, adapter in registry.ADAPTERS.items():
        assert type(read_specification({"architecture": name})) is adapter.specification
    with pytest.raises(ValidationError) as caught:
        read_specification({"architecture": "none"})
    (problem,) = caught.value.errors()
    assert problem["ctx"]["expected_tags"] == ", ".join(f"'{name}'" for name in registry.ADAPTERS)
