"""Sizes of classes are those that a plain count gives, with the unit of the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.shapes.class_sizes import class_size
from minivess.ml.measures.shapes.runs import components_of
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-165", "REQ-433")

SHAPES = [(1, 1), (3, 4), (5, 2), (1, 1, 1), (2, 3, 4), (4, 1, 3)]


def _components(inside: np.ndarray) -> list[int]:
    """The voxels of each component, by walking from voxel to voxel."""
    left, found = {tuple(place) for place in np.argwhere(inside).tolist()}, []
    while left:
        reached, edge = set(), [left.pop()]
        while edge:
            here = edge.pop()
            reached.add(here)
            near = {place for place in left if max(abs(a - b) for a, b in zip(place, here, strict=True)) == 1}
            left -= near
            edge += near
        found.append(len(reached))
    return found


@given(arrays(np.bool_, st.sampled_from([*SHAPES, (6, 7), (3, 5, 4), (4, 4, 6)])))
@pytest.mark.parametrize("voxels", [1, 64], ids=["by runs", "by labels where there are many"])
def test_components_are_those_of_a_plain_count(voxels: int, mask: np.ndarray) -> None:
    parts = _components(mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("minivess.ml.measures.shapes.runs._VOXELS_A_RUN", voxels)
        patch.setattr("minivess.ml.measures.shapes.runs._AT_A_TIME", 20)
        assert components_of(mask) == (len(parts), max(parts, default=0))


@given(arrays(np.uint8, st.sampled_from(SHAPES), elements=st.integers(0, 2)), st.integers(1, 3))
def test_sizes_are_those_of_a_plain_count(mask: np.ndarray, value: int) -> None:
    steps = (5.0, 2.0, 0.5)[: mask.ndim]
    found, inside = class_size(mask, value, steps), mask == value
    parts, where = _components(inside), np.argwhere(inside)
    assert found.voxels == np.count_nonzero(inside)
    assert found.size == pytest.approx(found.voxels * np.prod(steps))
    assert found.components == len(parts)
    assert found.largest_component == pytest.approx(max(parts, default=0) * np.prod(steps))
    box = (np.ptp(where, axis=0) + 1) * steps if len(where) else np.zeros(mask.ndim)
    assert found.extent == pytest.approx(tuple(box))
    assert found.size_unit == ("µm³" if mask.ndim == 3 else "µm²")


@pytest.mark.parametrize(
    ("spacing", "axes", "size", "units"),
    [
        ((2000.0, 500.0, 500.0), 3, 4.0, ("mm³", "mm")),
        ((99.0, 100.0, 100.0), 3, 8 * 990_000.0, ("µm³", "µm")),
        ((100.0, 200.0), 2, 0.08, ("mm²", "mm")),
        (None, 3, 8.0, ("voxel", "voxel")),
        (None, 2, 4.0, ("px", "px")),
    ],
)
def test_the_unit_is_that_of_the_spacing(
    spacing: tuple[float, ...] | None, axes: int, size: float, units: tuple[str, str]
) -> None:
    found = class_size(np.ones((2,) * axes, np.uint8), 1, spacing)
    assert (found.size_unit, found.extent_unit) == units
    assert found.size == pytest.approx(size)
