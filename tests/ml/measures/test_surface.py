"""Surface measures against a definition written out voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.foundation.errors import InputError
from minivess.ml.measures.hd95 import hd95
from minivess.ml.measures.nsd import nsd
from minivess.ml.measures.shapes.surface import border, surface_distances
from tests.support.properties import assume, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-33")

masks = arrays(np.bool_, (4, 5, 6))
spacings = st.tuples(*(st.floats(0.2, 6.0) for _ in range(3)))
STEPS = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]


def border_points(mask: np.ndarray) -> list[tuple[int, ...]]:
    inside = {tuple(point) for point in np.argwhere(mask).tolist()}
    return [p for p in inside if any(tuple(np.add(p, step).tolist()) not in inside for step in STEPS)]


def directed(origin: np.ndarray, target: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    goals = np.array(border_points(target)) * spacing
    return np.array([np.sqrt(((np.array(p) * spacing - goals) ** 2).sum(axis=1)).min() for p in border_points(origin)])


@pytest.mark.verifies("REQ-024")
@settings(max_examples=60, deadline=None)
@given(masks, masks, spacings, st.floats(0.1, 8.0))
def test_nsd_and_hd95_equal_the_definition(
    first: np.ndarray, second: np.ndarray, spacing: tuple[float, float, float], tolerance: float
) -> None:
    assume(first.any() and second.any())
    there, back = directed(first, second, spacing), directed(second, first, spacing)
    assume(not np.isclose(np.concatenate([there, back]), tolerance).any())
    within = np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance)
    assert nsd(first, second, spacing, tolerance) == pytest.approx(within / (there.size + back.size))
    expected = max(np.percentile(there, 95), np.percentile(back, 95))
    assert hd95(first, second, spacing) == pytest.approx(expected)


@pytest.mark.verifies("REQ-024")
def test_sparse_and_dense_masks_give_the_same_kind_of_distances() -> None:
    """One pair goes through the k-d tree, one through the distance transform: both agree with the definition."""
    rng = np.random.default_rng(3)
    spacing = (5.0, 1.0, 0.5)
    for density in (0.05, 0.9):
        first, second = rng.random((6, 12, 12)) < density, rng.random((6, 12, 12)) < density
        there, back = surface_distances(first, second, spacing)
        assert np.sort(there) == pytest.approx(np.sort(directed(first, second, spacing)))
        assert np.sort(back) == pytest.approx(np.sort(directed(second, first, spacing)))
    checker = np.indices((6, 12, 12)).sum(axis=0) % 2 == 0
    there, _ = surface_distances(checker, ~checker, spacing)
    assert np.sort(there) == pytest.approx(np.sort(directed(checker, ~checker, spacing)))


def test_a_shift_is_measured_in_micrometres() -> None:
    mask = np.zeros((8, 8, 8), np.bool_)
    mask[2:4, 2:6, 2:6] = True
    shifted = np.roll(mask, 1, axis=0)
    assert hd95(shifted, mask, (5.0, 1.0, 1.0)) == 5.0
    assert hd95(mask, mask, (5.0, 1.0, 1.0)) == 0.0
    assert nsd(shifted, mask, (5.0, 1.0, 1.0), 5.0) == 1.0


def test_voxels_at_the_edge_of_the_volume_are_border_voxels() -> None:
    assert np.count_nonzero(border(np.ones((3, 3, 3), np.bool_))) == 26


@pytest.mark.verifies("REQ-024")
def test_empty_masks_follow_the_conventions() -> None:
    empty, full = np.zeros((3, 3, 3), np.bool_), np.ones((3, 3, 3), np.bool_)
    unit = (1.0, 1.0, 1.0)
    assert (nsd(empty, empty, unit, 1.0), hd95(empty, empty, unit)) == (1.0, 0.0)
    assert (nsd(full, empty, unit, 1.0), hd95(full, empty, unit)) == (0.0, None)
    assert (nsd(empty, full, unit, 1.0), hd95(empty, full, unit)) == (0.0, None)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.0, 1.0, 1.0), (1.0, float("nan"), 1.0), (-1.0, 1.0, 1.0)])
def test_an_impossible_spacing_is_refused(spacing: tuple[float, float, float]) -> None:
    full = np.ones((3, 3, 3), np.bool_)
    with pytest.raises(InputError):
        hd95(full, full, spacing)


@pytest.mark.parametrize("axes", [1, 4])
def test_masks_that_are_neither_volume_nor_plane_are_refused(axes: int) -> None:
    full = np.ones((3,) * axes, np.bool_)
    with pytest.raises(InputError, match=f"not {axes}"):
        hd95(full, full, (1.0, 1.0, 1.0))


def test_a_plane_has_a_border_within_itself_and_needs_two_steps() -> None:
    plane = np.pad(np.ones((4, 5), np.bool_), 1)
    assert np.count_nonzero(border(plane)) == 14
    assert hd95(np.roll(plane, 1, axis=0), plane, (3.0, 1.0)) == 3.0
    with pytest.raises(InputError, match="two positive numbers"):
        hd95(plane, plane, (1.0, 1.0, 1.0))


def test_a_tolerance_of_nothing_is_refused() -> None:
    full = np.ones((3, 3, 3), np.bool_)
    with pytest.raises(InputError):
        nsd(full, full, (1.0, 1.0, 1.0), 0.0)


@pytest.mark.verifies("REQ-315")
@settings(max_examples=60)
@given(
    st.sampled_from([0.1, 0.3, 0.33203125, 0.497, 0.994]),
    st.integers(0, 70),
    st.integers(1, 5),
    st.booleans(),
)
def test_a_border_voxel_at_the_tolerance_is_within_it_wherever_it_is(
    step: float, place: int, steps: int, dense: bool
) -> None:
    first, second = (np.zeros((3 if dense else 40, 80, 30), bool) for _ in range(2))
    first[1, place, 1] = second[1, place + steps, 1] = True
    tolerance = float(f"{steps * step:.6g}")
    assert nsd(first, second, (step,) * 3, tolerance) == 1.0
    assert nsd(first, second, (step,) * 3, tolerance * 0.999) == 0.0
