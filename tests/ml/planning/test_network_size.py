"""Patch, levels, filters and batch fit images, memory and what is stated."""

from __future__ import annotations

import math
from typing import Any

import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.models.registry import ADAPTERS, adapter_of
from minivess.ml.planning.memory import SHARE, training_memory
from minivess.ml.planning.network_size import Images, NetworkSize, network_size
from minivess.records.data.dataset import LabelClass
from minivess.records.models.plan import MemoryAtHand
from minivess.records.models.task import SegmentationTask
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-145", "REQ-345")


def sized(
    grid: tuple[int, ...],
    *,
    spacing: tuple[float, ...] | None = None,
    cases: int = 20,
    size: float = 8e9,
    device: str = "cpu",
    family: str = "segresnet",
    classes: int = 1,
    stated: dict[str, Any] | None = None,
) -> NetworkSize:
    task = SegmentationTask(
        axes="zyx" if len(grid) == 3 else "yx",
        classes=tuple(LabelClass(value=value, name=str(value)) for value in range(1, classes + 1)),
    )
    images = Images(grid, spacing or (1.0,) * len(grid), cases * math.prod(grid))
    at_hand = MemoryAtHand(size=int(size), device=device, source="this test")
    return network_size(images, task, adapter_of(family), at_hand, stated or {})


def test_a_small_image_is_one_patch() -> None:
    found = sized((36, 50, 35), cases=200, classes=2)
    assert (found.spec.patch, found.spec.levels) == ((40, 56, 40), 4)
    assert found.batch > 2


def test_a_patch_has_one_physical_length_and_few_planes_stay() -> None:
    found = sized((120, 512, 512), spacing=(3.0, 1.0, 1.0))
    z, y, x = found.spec.patch
    assert y == x
    assert 3 * z == pytest.approx(y, rel=0.2)
    thin = sized((15, 512, 512), spacing=(5.0, 1.0, 1.0))
    assert (thin.spec.patch[0], thin.spec.levels) == (16, 3)


def test_a_gpu_gets_more_filters_and_larger_patches_than_a_cpu() -> None:
    gpu, cpu = (sized((200, 400, 400), device=device) for device in ("gpu", "cpu"))
    assert (gpu.spec.filters, cpu.spec.filters) == (32, 8)
    assert sized((200, 400, 400), device="gpu", size=64e9).spec.patch > cpu.spec.patch


@pytest.mark.parametrize("size", [4e8, 8e8, 2e9, 8e9])
def test_less_memory_gives_smaller_patches_that_fit(size: float) -> None:
    found = sized((600, 600, 600), size=size, device="gpu")
    needed = training_memory(found.spec, SegmentationTask(), found.batch)
    assert needed is not None
    assert needed <= SHARE * size
    more = sized((600, 600, 600), size=2 * size, device="gpu")
    assert math.prod(more.spec.patch) * more.spec.filters > math.prod(found.spec.patch) * found.spec.filters


def test_a_memory_that_holds_no_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"training needs .* and may take"):
        sized((64, 64, 64), size=5e6)


@pytest.mark.parametrize(
    "stated",
    [
        {"patch": (32, 64, 64)}, {"levels": 5}, {"filters": 16}, {"batch": 1}, {"patch": (24, 48, 48), "levels": 4},
        {"patch": (8, 64, 64), "filters": 4, "batch": 9},
    ],
)  # fmt: skip
def test_what_is_stated_stays(stated: dict[str, Any]) -> None:
    found = sized((90, 200, 200), stated=stated)
    for name, value in stated.items():
        assert (found.batch if name == "batch" else getattr(found.spec, name)) == value


@pytest.mark.parametrize("stated", [{"patch": (30, 50, 50), "levels": 4}, {"patch": (7, 7, 7)}, {"patch": (64, 64)}])
def test_a_stated_patch_that_fits_no_network_is_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="does not fit segresnet"):
        sized((90, 200, 200), stated=stated)


_SIDES = st.integers(1, 700)


@settings(max_examples=40)
@given(
    grid=st.one_of(st.tuples(_SIDES, _SIDES), st.tuples(_SIDES, _SIDES, _SIDES)),
    steps=st.tuples(*[st.floats(0.2, 6)] * 3),
    machine=st.fixed_dictionaries(
        {
            "family": st.sampled_from(["segresnet", "dynunet"]),
            "device": st.sampled_from(["cpu", "gpu"]),
            "size": st.floats(6e8, 3e10),
            "cases": st.integers(1, 300),
        }
    ),
    classes=st.integers(1, 5),
)
def test_any_images_get_a_network_that_can_be_built_and_fits(
    grid: tuple[int, ...], steps: tuple[float, ...], machine: dict[str, Any], classes: int
) -> None:
    found = sized(grid, spacing=steps[: len(grid)], classes=classes, **machine)
    axes = "zyx" if len(grid) == 3 else "yx"
    task = SegmentationTask(axes=axes, classes=tuple(LabelClass(value=n, name=str(n)) for n in range(1, classes + 1)))
    assert ADAPTERS[machine["family"]].patch_fault(found.spec, axes) is None
    needed = training_memory(found.spec, task, found.batch)
    assert needed is not None
    assert needed <= SHARE * machine["size"]
    assert 2 <= found.batch <= 16
    divisor = 2 ** (found.spec.levels - 1)
    for side, most in zip(found.spec.patch, grid, strict=True):
        assert side <= max(2 * divisor, math.ceil(most / divisor) * divisor)
    assert set(found.reasons) == {"patch", "levels", "filters", "batch"}
    assert all(0 < len(reason) <= 76 for reason in found.reasons.values())
