"""Sliding windows: complete, seamless, and of bounded batches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.inference.tiling import gaussian_weight, sliding_window, tile_starts
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-30")

sizes = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
patches = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8))


@settings(max_examples=50, deadline=None)
@given(shape=sizes, patch=patches, overlap=st.sampled_from([0.0, 0.25, 0.5]), batch=st.integers(1, 5))
def test_a_voxelwise_function_passes_through_unchanged(
    shape: tuple[int, int, int], patch: tuple[int, int, int], overlap: float, batch: int
) -> None:
    volume = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    image = np.stack([volume, -volume])
    result = sliding_window(image, patch, lambda tiles: 2 * tiles[:, ::-1] + 1, outputs=2, overlap=overlap, batch=batch)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, 2 * image[::-1] + 1, atol=1e-5)


@given(size=st.integers(1, 200), patch=st.integers(1, 64))
def test_tiles_cover_an_axis_from_end_to_end(size: int, patch: int) -> None:
    size = max(size, patch)
    starts = tile_starts(size, patch)
    assert starts[0] == 0
    assert starts[-1] == size - patch
    assert all(0 < after - before <= patch for before, after in pairwise(starts))


def test_batches_are_bounded_and_tiles_have_the_patch_shape() -> None:
    seen: list[tuple[int, ...]] = []

    def forward(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        seen.append(tiles.shape)
        return tiles

    sliding_window(np.zeros((1, 8, 20, 20), np.float32), (8, 8, 8), forward, batch=4)
    assert all(shape[0] <= 4 and shape[1:] == (1, 8, 8, 8) for shape in seen)
    assert sum(shape[0] for shape in seen) == 9


def test_the_centre_of_a_tile_weighs_most() -> None:
    weight = gaussian_weight((9, 9, 9))
    assert weight.argmax() == weight.size // 2
    assert weight.min() > 0


def test_a_network_that_changes_the_shape_is_refused() -> None:
    with pytest.raises(UsageError, match="shape"):
        sliding_window(np.zeros((1, 8, 8, 8), np.float32), (8, 8, 8), lambda tiles: tiles[..., :4])


@pytest.mark.parametrize(("overlap", "batch"), [(1.0, 1), (-0.1, 1), (0.5, 0)])
def test_impossible_settings_are_refused(overlap: float, batch: int) -> None:
    with pytest.raises(UsageError):
        sliding_window(np.zeros((1, 8, 8, 8), np.float32), (8, 8, 8), lambda t: t, overlap=overlap, batch=batch)
