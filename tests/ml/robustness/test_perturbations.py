"""What each perturbation does to image, mask and spacing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.robustness.perturbation import Scene
from minivess.ml.robustness.registry import PERTURBATIONS, perturbations_of
from tests.support.properties import given, settings, strategies

pytestmark = pytest.mark.verifies("REQ-404")

SPACING = (5.0, 1.0, 2.0)


def scene(
    name: str, image: NDArray[np.float32], label: NDArray[np.uint8] | None = None, *, level: float, seed: int = 0
) -> Scene:
    mask = np.zeros(image.shape, np.uint8) if label is None else label
    return PERTURBATIONS[name](np.random.default_rng(seed), image, mask, SPACING[-mask.ndim :], level)


def random_image(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def test_noise_has_the_stated_deviation_and_is_the_same_draw_at_each_level() -> None:
    image = random_image((30, 30, 30))
    weak, strong = (scene("noise", image, level=level).image - image for level in (0.5, 1.0))
    assert weak.std() == pytest.approx(0.5 * image.std(), rel=0.02)
    assert np.allclose(2 * weak, strong, atol=1e-3)


def test_noise_is_scaled_to_each_channel() -> None:
    image = random_image((20, 20, 20, 2)) * np.array([1, 1000], np.float32)
    added = scene("noise", image, np.zeros((20, 20, 20), np.uint8), level=1.0).image - image
    for channel in range(2):
        assert added[..., channel].std() == pytest.approx(image[..., channel].std(), rel=0.05)


def test_a_blur_is_round_in_space() -> None:
    image = np.zeros((21, 61, 61), np.float32)
    image[10, 30, 30] = 1
    blurred = scene("blur", image, level=3.0).image
    for axis, step in enumerate(SPACING):
        profile = blurred.sum(axis=tuple(other for other in range(3) if other != axis))
        places = (np.arange(profile.size) - profile.size // 2) * step
        if step < 3:  # the box of a voxel of 5 is wider than the blur
            assert np.sqrt((profile * places**2).sum() / profile.sum()) == pytest.approx(3.0, rel=0.05)
    assert blurred[9, 30, 30] < blurred[10, 30, 29]


def test_lost_contrast_keeps_the_mean_and_order() -> None:
    image = random_image((8, 8, 8))
    changed = scene("contrast", image, level=75).image
    assert changed.mean() == pytest.approx(image.mean(), rel=1e-4)
    assert changed.std() == pytest.approx(0.25 * image.std(), rel=1e-3)


def test_gamma_keeps_the_ends_and_darkens_between() -> None:
    image = np.linspace(10, 30, 5 * 5, dtype=np.float32).reshape(5, 5)
    changed = scene("gamma", image, level=1.0).image
    assert [float(changed.min()), float(changed.max())] == [10, 30]
    assert changed[2, 2] == pytest.approx(10 + 20 * 0.25)
    flat = np.full((4, 4), 7, np.float32)
    assert np.array_equal(scene("gamma", flat, level=1.0).image, flat)


@pytest.mark.parametrize(("name", "factor"), [("coarser", 1.3), ("finer", 0.7)])
def test_other_voxels_cover_the_same_field_of_view(name: str, factor: float) -> None:
    image, label = random_image((20, 40, 40)), np.ones((20, 40, 40), np.uint8)
    changed = scene(name, image, label, level=30)
    assert changed.label is label or np.array_equal(changed.label, label)
    for size, step, before, first in zip(changed.image.shape, changed.spacing, image.shape, SPACING, strict=True):
        assert size * step == pytest.approx(before * first)
        assert step == pytest.approx(first * factor, rel=0.03)


def test_a_coarser_voxel_averages() -> None:
    image = random_image((32, 32, 32))
    assert scene("coarser", image, level=30).image.std() < 0.8 * image.std()


@given(seed=strategies.integers(0, 2**16), level=strategies.floats(0.5, 6), axes=strategies.sampled_from([2, 3]))
@settings(max_examples=30)
def test_the_mask_moves_with_each_slice(seed: int, level: float, axes: int) -> None:
    label = (np.random.default_rng(seed).random((6, 9, 11)[:axes]) < 0.4).astype(np.uint8)
    changed = scene("motion", label.astype(np.float32), label, level=level, seed=seed)
    assert np.array_equal(changed.image, changed.label)
    assert changed.image.shape == label.shape


def test_slices_move_apart_from_one_another() -> None:
    image = random_image((12, 30, 30))
    changed = scene("motion", image, level=1.0).image
    moved = [number for number in range(12) if not np.array_equal(changed[number], image[number])]
    assert len(moved) > 6
    steps = {tuple(np.argwhere(np.isin(changed[number], image[number, 15, 15]))[0]) for number in moved}
    assert len(steps) > 4


@given(seed=strategies.integers(0, 2**16), level=strategies.sampled_from([10, 25, 50]))
@settings(max_examples=30)
def test_a_crop_is_a_part_of_the_image_with_its_mask(seed: int, level: float) -> None:
    image = np.arange(10 * 12 * 14, dtype=np.float32).reshape(10, 12, 14)
    changed = scene("cropped", image, image.astype(np.uint16), level=level, seed=seed)
    assert np.array_equal(changed.image, changed.label)
    assert changed.image.shape == tuple(round(side * (1 - level / 100)) for side in image.shape)
    assert (np.diff(changed.image, axis=-1) == 1).all()
    assert (np.diff(changed.image, axis=0) == 12 * 14).all()


def test_lost_slices_are_dark_and_the_mask_stays() -> None:
    image, label = random_image((20, 8, 8, 2)), np.ones((20, 8, 8), np.uint8)
    changed = scene("missing-slices", image, label, level=10)
    dark = [number for number in range(20) if not np.array_equal(changed.image[number], image[number])]
    assert len(dark) == 2
    for channel in range(2):
        assert (changed.image[dark][..., channel] == image[..., channel].min()).all()
    assert np.array_equal(changed.label, label)


def test_more_lost_slices_include_the_fewer_ones() -> None:
    image = random_image((40, 4, 4))
    few, many = (
        {n for n in range(40) if not np.array_equal(scene("missing-slices", image, level=level).image[n], image[n])}
        for level in (5, 20)
    )
    assert few < many


@pytest.mark.parametrize(("name", "level"), [("noise", 0.0), ("blur", -1.0), ("contrast", 100.0), ("cropped", 100.0)])
def test_levels_out_of_range_are_refused(name: str, level: float) -> None:
    with pytest.raises(UsageError, match=name):
        scene(name, random_image((4, 4, 4)), level=level)


def test_perturbations_are_chosen_by_name_in_their_order() -> None:
    assert [one.name for one in perturbations_of(["finer", "noise"])] == ["noise", "finer"]
    assert [one.name for one in perturbations_of()] == list(PERTURBATIONS)
    with pytest.raises(UsageError, match="nois"):
        perturbations_of(["nois"])


def test_levels_ascend_within_their_range() -> None:
    for one in PERTURBATIONS.values():
        assert list(one.levels) == sorted(set(one.levels))
        assert one.levels[0] > 0
        assert one.levels[-1] < one.below
