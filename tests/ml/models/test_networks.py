"""Weights as files and digests, and networks by seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from minivess.foundation.errors import InputError, UsageError, VerificationError
from minivess.ml.models.registry import ADAPTERS, build_network
from minivess.ml.models.weights import load_weights, save_weights, weights_digest
from minivess.records.models.segresnet import SegResNetSpec
from minivess.records.models.specifications import read_specification

pytestmark = pytest.mark.verifies("SU-29")


def _state() -> dict[str, torch.Tensor]:
    return {"b": torch.arange(6, dtype=torch.float32).reshape(2, 3), "a": torch.tensor(3, dtype=torch.int64)}


def test_weights_survive_a_round_trip_with_their_digest(tmp_path: Path) -> None:
    digest = save_weights(tmp_path / "w.pt", _state())
    loaded = load_weights(tmp_path / "w.pt", expected=digest)
    assert weights_digest(loaded) == digest == weights_digest(_state())
    assert all(torch.equal(loaded[name], tensor) for name, tensor in _state().items())


def test_the_digest_ignores_order_and_memory_layout() -> None:
    state = _state()
    turned = {"a": state["a"], "b": state["b"].t().contiguous().t()}
    assert weights_digest(turned) == weights_digest(state)


@pytest.mark.parametrize(
    "other",
    [
        {"b": torch.arange(6, dtype=torch.float32).reshape(3, 2), "a": torch.tensor(3, dtype=torch.int64)},
        {"b": torch.arange(6, dtype=torch.float64).reshape(2, 3), "a": torch.tensor(3, dtype=torch.int64)},
        {"c": torch.arange(6, dtype=torch.float32).reshape(2, 3), "a": torch.tensor(3, dtype=torch.int64)},
        {"b": torch.arange(6, dtype=torch.float32).reshape(2, 3), "a": torch.tensor(4, dtype=torch.int64)},
    ],
    ids=["shape", "dtype", "name", "value"],
)
def test_the_digest_sees_every_difference(other: dict[str, torch.Tensor]) -> None:
    assert weights_digest(other) != weights_digest(_state())


def test_other_weights_than_expected_are_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.pt", _state())
    with pytest.raises(VerificationError, match=r"w\.pt"):
        load_weights(tmp_path / "w.pt", expected="sha256:" + "0" * 64)


class _Surprise:
    """Something other than a tensor."""


@pytest.mark.parametrize("content", ["missing", "text", "half", "object", "list"])
def test_files_that_hold_no_named_tensors_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.pt"
    if content == "text":
        path.write_text("no weights", encoding="utf-8")
    elif content == "half":
        save_weights(path, _state())
        path.write_bytes(path.read_bytes()[:200])
    elif content == "object":
        torch.save({"a": _Surprise()}, path)
    elif content == "list":
        torch.save([torch.zeros(2)], path)
    with pytest.raises(InputError):
        load_weights(path)


def test_a_patch_that_does_not_fit_is_refused_before_monai_is_loaded() -> None:
    with pytest.raises(UsageError, match="patch"):
        build_network(SegResNetSpec(patch=(30, 64, 64)), seed=0)


def test_every_family_has_an_adapter_and_every_adapter_a_record() -> None:
    assert {read_specification({"architecture": name}).architecture for name in ADAPTERS} == set(ADAPTERS)
    with pytest.raises(ValidationError) as caught:
        read_specification({"architecture": "none"})
    (problem,) = caught.value.errors()
    assert problem["ctx"]["expected_tags"] == ", ".join(f"'{name}'" for name in ADAPTERS)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["segresnet", "unet", "dynunet"])
def test_networks_map_one_channel_to_one_logit_and_are_drawn_by_seed(architecture: str) -> None:
    spec = read_specification({"architecture": architecture, "filters": 4, "patch": (8, 16, 16)})
    before = torch.random.get_rng_state()
    one, two, other = (build_network(spec, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert weights_digest(one.state_dict()) == weights_digest(two.state_dict()) != weights_digest(other.state_dict())
    answer = torch.sigmoid(one(torch.randn(2, 1, *spec.patch, generator=torch.Generator().manual_seed(0))))
    assert answer.shape == (2, 1, *spec.patch)
    assert 0.02 < float(answer.mean().detach()) < 0.35, "a new network expects little foreground"
