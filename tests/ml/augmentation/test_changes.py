"""Properties of every change and of every strength: shapes, masks, repeatability, and what stays as it is."""

from __future__ import annotations

import itertools
import pickle
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from scipy import ndimage

from minivess.ml.augmentation.frame import Frame
from minivess.ml.augmentation.patches import Image, Label
from minivess.ml.augmentation.registry import Augmenter, NamedChange, Sometimes, augmenter_of
from minivess.ml.augmentation.sharpness import low_resolution
from minivess.ml.augmentation.smooth_fields import smooth_field
from minivess.ml.augmentation.spatial import SpatialChange
from minivess.ml.augmentation.strengths import NEVER, STRENGTHS, Draw
from minivess.records.models.training import Augmentation, ChangeName, Strength
from tests.support.properties import example, given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-31", "REQ-353")

STRONG = Augmentation(strength="strong")
SIZES = {  # patch, grid of the case, channels, spacing
    "volume": ((8, 12, 10), (14, 20, 16), 1, (1.0, 1.0, 1.0)),
    "thick slices": ((4, 12, 12), (9, 20, 16), 2, (5.0, 1.0, 1.0)),
    "thick along x": ((8, 8, 3), (12, 12, 3), 1, (1.0, 1.0, 4.0)),
    "picture": ((16, 12), (30, 20), 3, None),
    "long pixels": ((16, 16), (30, 20), 1, (3.0, 1.0)),
    "patch of the whole case": ((4, 8, 8), (4, 8, 8), 1, (1.0, 1.0, 1.0)),
    "one slice": ((1, 8, 8), (1, 9, 9), 1, None),
}
sizes = pytest.mark.parametrize("size", SIZES)
names = pytest.mark.parametrize("name", get_args(ChangeName))


def case(size: str, seed: int = 0) -> tuple[Image, Label]:
    """A smooth image of `size`, and the mask of its three heights."""
    _, grid, channels, _ = SIZES[size]
    rng = np.random.default_rng(seed)
    smooth = smooth_field(rng, grid, (2,) * len(grid), 1.0)
    image = np.stack([smooth + 0.01 * rng.standard_normal(grid) for _ in range(channels)]).astype(np.float32)
    label = np.digitize(smooth, np.quantile(smooth, [0.5, 0.8])).astype(np.uint8)
    image.setflags(write=False)
    label.setflags(write=False)
    return image, label


def start_of(size: str) -> list[int]:
    patch, grid, _, _ = SIZES[size]
    return [(whole - side) // 2 for whole, side in zip(grid, patch, strict=True)]


def always(size: str, *, strength: Strength = "strong", but: frozenset[str] = frozenset()) -> Augmenter:
    """The augmentation of a strength with each change made every time, except those of `but`."""
    patch, _, _, spacing = SIZES[size]
    whole = augmenter_of(Augmentation(strength=strength, without=tuple(but)), patch, spacing)

    def surely(draw: Draw) -> Draw:
        return draw if draw == NEVER else draw._replace(probability=1.0)

    spatial = whole.spatial
    return Augmenter(
        replace(
            spatial,
            rotation=surely(spatial.rotation),
            scale=surely(spatial.scale),
            elastic=surely(spatial.elastic),
        ),
        tuple(
            NamedChange(name, replace(change, draw=surely(change.draw)) if isinstance(change, Sometimes) else change)
            for name, change in whole.changes
        ),
    )


def only(name: ChangeName, size: str) -> Augmenter:
    return always(size, but=frozenset(get_args(ChangeName)) - {name})


@sizes
@names
def test_a_change_keeps_shapes_types_and_classes(name: ChangeName, size: str) -> None:
    patch, _, channels, _ = SIZES[size]
    image, label = case(size)
    augmenter = only(name, size)
    assert augmenter.names == (name,)
    differs = False
    plain, mask = augmenter_of(Augmentation(strength="none"), patch)(
        np.random.default_rng(0), image, label, start_of(size)
    )
    for seed in range(4):
        changed, other = augmenter(np.random.default_rng(seed), image, label, start_of(size))
        assert (changed.shape, changed.dtype) == ((channels, *patch), np.dtype(np.float32))
        assert (other.shape, other.dtype) == (patch, np.dtype(np.uint8))
        assert changed.flags.c_contiguous
        assert other.flags.c_contiguous
        assert np.isfinite(changed).all()
        assert set(np.unique(other)) <= set(np.unique(label))
        differs |= not np.array_equal(changed, plain)
    assert differs, "it never changed anything"
    assert mask.shape == patch


@sizes
def test_the_same_generator_gives_the_same_patch_and_the_case_stays(size: str) -> None:
    image, label = case(size)
    before = image.tobytes(), label.tobytes()
    augmenter = always(size)
    again: Augmenter = pickle.loads(pickle.dumps(augmenter))  # noqa: S301 - as worker processes get it
    one = augmenter(np.random.default_rng([7, 1]), image, label, start_of(size))
    two = again(np.random.default_rng([7, 1]), image, label, start_of(size))
    other = augmenter(np.random.default_rng([7, 2]), image, label, start_of(size))
    assert [part.tobytes() for part in one] == [part.tobytes() for part in two]
    assert one[0].tobytes() != other[0].tobytes()
    assert (image.tobytes(), label.tobytes()) == before


@given(
    size=st.sampled_from(sorted(SIZES)),
    seed=st.integers(0, 2**32 - 1),
    spatial=st.sampled_from(["rotation", "scale", "elastic", "all"]),
)
@example(size="volume", seed=0, spatial="all")
@settings(max_examples=60)
def test_image_and_mask_move_together(size: str, seed: int, spatial: str) -> None:
    """An image that is its mask is the mask again, except where interpolation mixes two classes."""
    patch, _, channels, _ = SIZES[size]
    _, label = case(size)
    marked = np.repeat((label > 0)[np.newaxis].astype(np.float32), channels, axis=0)
    but = {
        name for name in get_args(ChangeName) if name not in ("rotation", "scale", "elastic", "flips", "quarter-turns")
    }
    if spatial != "all":
        but |= {"rotation", "scale", "elastic"} - {spatial}
    changed, mask = always(size, but=frozenset(but))(np.random.default_rng(seed), marked, label, start_of(size))
    for channel in changed:
        np.testing.assert_array_equal(channel > 0.9, (channel > 0.9) & (mask > 0))
        np.testing.assert_array_equal(channel < 0.05, (channel < 0.05) & (mask == 0))
    assert mask.shape == patch


@sizes
def test_intensity_changes_leave_the_mask(size: str) -> None:
    image, label = case(size)
    moves = frozenset({"rotation", "scale", "elastic", "flips", "quarter-turns"})
    augmenter = always(size, but=moves)
    plain = augmenter_of(Augmentation(strength="none"), SIZES[size][0])
    _, expected = plain(np.random.default_rng(0), image, label, start_of(size))
    for seed in range(3):
        _, mask = augmenter(np.random.default_rng(seed), image, label, start_of(size))
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.filterwarnings("error")
@names
@pytest.mark.parametrize("size", ["volume", "picture"])
def test_a_constant_patch_stays_finite(name: ChangeName, size: str) -> None:
    image, label = case(size)
    for seed in range(3):
        changed, _ = only(name, size)(np.random.default_rng(seed), np.full_like(image, 2), label, start_of(size))
        assert np.isfinite(changed).all()
        if name not in ("noise", "brightness"):
            np.testing.assert_allclose(changed, 2, rtol=1e-5)


@sizes
@pytest.mark.parametrize("strength", ["none", "flips"])
def test_none_and_flips_interpolate_nothing(strength: Strength, size: str) -> None:
    patch, _, _, spacing = SIZES[size]
    image, label = case(size)
    augmenter = augmenter_of(Augmentation(strength=strength), patch, spacing)
    assert augmenter.names == (() if strength == "none" else ("flips", "quarter-turns"))
    cut = tuple(slice(first, first + side) for first, side in zip(start_of(size), patch, strict=True))
    for seed in range(6):
        changed, mask = augmenter(np.random.default_rng(seed), image, label, start_of(size))
        if strength == "none":
            np.testing.assert_array_equal(changed, image[(slice(None), *cut)])
            np.testing.assert_array_equal(mask, label[cut])
        pairs = sorted(zip(changed[0].ravel().tolist(), mask.ravel().tolist(), strict=True))
        voxels = zip(image[(0, *cut)].ravel().tolist(), label[cut].ravel().tolist(), strict=True)
        assert pairs == sorted(voxels)


def test_a_probability_of_zero_is_the_place_itself() -> None:
    image, label = case("volume")
    frame = Frame.of(*(SIZES["volume"][0], SIZES["volume"][3]))
    made, mask = SpatialChange(frame, rotation=Draw(0, -30, 30))(np.random.default_rng(0), image, label, [1, 2, 3])
    np.testing.assert_array_equal(made, image[:, 1:9, 2:14, 3:13])
    np.testing.assert_array_equal(mask, label[1:9, 2:14, 3:13])


@pytest.mark.parametrize("size", ["volume", "thick slices", "picture"])
def test_a_turn_reads_voxels_beside_the_patch(size: str) -> None:
    """Turned by 90 degrees, a patch that is not square shows what was beside it, never a mirror image."""
    patch, grid, channels, spacing = SIZES[size]
    numbers = np.arange(np.prod(grid), dtype=np.float32).reshape(grid)
    image = np.repeat(numbers[np.newaxis], channels, axis=0)
    label = (numbers % 251).astype(np.uint8)
    change = SpatialChange(Frame.of(patch, spacing), rotation=Draw(1, 90, 90))
    made, mask = change(np.random.default_rng(0), image, label, start_of(size))
    assert len(np.unique(made[0].round())) == made[0].size, "a voxel is there twice"
    np.testing.assert_array_equal(mask, made[0].round() % 251)


def test_a_turn_keeps_physical_shapes() -> None:
    """A disc in pixels three times as long as wide is still a disc, of the same area, after any turn."""
    y, x = np.mgrid[0:40, 0:120]
    disc = ((3 * (y - 20)) ** 2 + (x - 60) ** 2 <= 30**2).astype(np.uint8)
    change = SpatialChange(Frame.of((24, 72), (3, 1)), rotation=Draw(1, -180, 180))
    for seed in range(5):
        _, mask = change(np.random.default_rng(seed), disc[np.newaxis].astype(np.float32), disc, [8, 24])
        np.testing.assert_allclose(mask.sum(), disc.sum(), rtol=0.03)
        assert abs(np.ptp(np.nonzero(mask)[0]) - np.ptp(np.nonzero(disc)[0])) <= 1
        assert abs(np.ptp(np.nonzero(mask)[1]) - np.ptp(np.nonzero(disc)[1])) <= 2


@pytest.mark.parametrize(("times", "share"), [(2.0, 8.0), (0.5, 1 / 8)])
def test_a_scale_above_one_makes_structures_larger(times: float, share: float) -> None:
    z, y, x = np.mgrid[0:40, 0:40, 0:40]
    ball = ((z - 20) ** 2 + (y - 20) ** 2 + (x - 20) ** 2 <= 6**2).astype(np.uint8)
    change = SpatialChange(Frame.of((30, 30, 30), (1, 1, 1)), scale=Draw(1, times, times))
    _, mask = change(np.random.default_rng(0), ball[np.newaxis].astype(np.float32), ball, [5, 5, 5])
    np.testing.assert_allclose(mask.sum() / ball.sum(), share, rtol=0.25)


@pytest.mark.parametrize(
    ("patch", "spacing", "thick"),
    [
        ((8, 8, 8), None, 0),
        ((8, 8, 8), (1, 1, 1), None),
        ((8, 8, 8), (1.5, 1, 1), None),
        ((8, 8, 8), (1.6, 1, 1), 0),
        ((8, 8, 8), (1, 1, 5), 2),
        ((8, 8), None, None),
        ((8, 8), (5, 1), None),
    ],
)
def test_slices_are_thick_by_the_size_of_a_voxel(
    patch: tuple[int, ...], spacing: tuple[float, ...] | None, thick: int | None
) -> None:
    assert Frame.of(patch, spacing).thick == thick


@pytest.mark.parametrize("name", ["rotation", "scale", "elastic", "blur", "low-resolution"])
def test_thick_slices_are_never_mixed(name: ChangeName) -> None:
    """Each slice has one value, also in the end."""
    image = np.repeat(np.arange(9, dtype=np.float32), 20 * 16).reshape(1, 9, 20, 16)
    label = image[0].astype(np.uint8)
    changed, mask = only(name, "thick slices")(np.random.default_rng(3), image, label, start_of("thick slices"))
    for number in range(4):
        np.testing.assert_allclose(changed[0, number], 2 + number, rtol=1e-6)
        np.testing.assert_array_equal(mask[number], 2 + number)


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_channels_change_alike_or_each_on_its_own(name: ChangeName) -> None:
    image, label = case("picture")
    same = np.repeat(image[:1], 3, axis=0)
    alike = []
    for seed in range(12):
        changed, _ = only(name, "picture")(np.random.default_rng(seed), same, label, start_of("picture"))
        alike.append(bool(np.ptp(changed.std(axis=(1, 2))) < 0.02 and np.ptp(changed.mean(axis=(1, 2))) < 0.02))
    assert any(alike)
    assert not all(alike)


def test_gamma_keeps_mean_and_deviation() -> None:
    image, label = case("volume")
    changed, _ = only("gamma", "volume")(np.random.default_rng(0), image, label, start_of("volume"))
    cut = image[:, 3:11, 4:16, 3:13]
    assert not np.array_equal(changed, cut)
    np.testing.assert_allclose([changed.mean(), changed.std()], [cut.mean(), cut.std()], atol=1e-4)


def test_contrast_keeps_values_in_their_range() -> None:
    image, label = case("volume")
    cut = image[:, 3:11, 4:16, 3:13]
    for seed in range(6):
        changed, _ = only("contrast", "volume")(np.random.default_rng(seed), image, label, start_of("volume"))
        assert changed.min() >= cut.min() - 1e-6
        assert changed.max() <= cut.max() + 1e-6


def test_a_bias_field_multiplies_heights_over_the_darkest_voxel() -> None:
    image, label = case("volume")
    cut = image[:, 3:11, 4:16, 3:13]
    largest = STRENGTHS["strong"]["bias-field"].high
    changed, _ = only("bias-field", "volume")(np.random.default_rng(1), image - 5, label, start_of("volume"))
    darkest = cut.argmin()
    assert changed.ravel()[darkest] == pytest.approx(cut.min() - 5, abs=1e-5)
    heights = np.delete(cut.ravel(), darkest) - cut.min()
    factors = (np.delete(changed.ravel(), darkest) + 5 - cut.min()) / heights
    assert np.exp(-largest) - 1e-3 <= factors.min() < factors.max() <= np.exp(largest) + 1e-3


@pytest.mark.parametrize("share", [0.5, 0.6, 0.75, 1.0])
def test_nothing_moves_at_a_low_resolution(share: float) -> None:
    ramp = np.repeat(np.arange(60, dtype=np.float32)[np.newaxis, np.newaxis], 60, axis=1)
    made = low_resolution(np.random.default_rng(0), ramp, share, share, axes=(0, 1))
    np.testing.assert_allclose(made[:, :, 4:-4], ramp[:, :, 4:-4], atol=1e-4)
    detail = np.random.default_rng(0).standard_normal((1, 60, 60)).astype(np.float32)
    kept = low_resolution(np.random.default_rng(0), detail, share, share, axes=(0, 1))
    assert kept.std() < 0.8 * detail.std() or share == 1


def test_a_shifted_histogram_keeps_the_order_of_values() -> None:
    image, label = case("volume")
    changed, _ = only("histogram-shift", "volume")(np.random.default_rng(0), image, label, start_of("volume"))
    order = np.argsort(image[:, 3:11, 4:16, 3:13].ravel())
    assert (np.diff(changed.ravel()[order]) >= -1e-6).all()


def test_a_smooth_field_is_smooth_bounded_and_never_folds() -> None:
    """The displacement of cubic B-splines is injective up to 0.4 cells in three axes (Choi & Lee 2000)."""
    largest = max(rows["elastic"].high for rows in STRENGTHS.values() if "elastic" in rows)
    assert largest < 0.4
    for seed in range(5):
        field = smooth_field(np.random.default_rng(seed), (64,), (4,), largest * 16)
        assert np.abs(field).max() <= largest * 16
        assert (np.diff(field) > -1).all()


def test_control_points_on_a_line_make_a_line() -> None:
    """Cubic B-splines reproduce a line: at a place in cells from the first face, one more, as one point lies before it."""

    class Line:
        def uniform(self, low: float, high: float, shape: list[int]) -> np.ndarray:
            return np.arange(shape[1], dtype=float) * np.ones(shape)

    field = smooth_field(Line(), (7, 9), (2, 3), 1.0)
    expected = (np.arange(9) + 0.5) * 3 / 9 + 1
    np.testing.assert_allclose(field, np.broadcast_to(expected, (7, 9)), rtol=1e-5)


@pytest.mark.verifies("REQ-354")
@pytest.mark.parametrize("name", get_args(ChangeName))
def test_each_change_can_be_left_out(name: ChangeName) -> None:
    whole = augmenter_of(STRONG, (8, 8, 8)).names
    assert whole == get_args(ChangeName), "the order of the names is the order in which changes are made"
    left = augmenter_of(Augmentation(strength="strong", without=(name,)), (8, 8, 8))
    assert left.names == tuple(other for other in whole if other != name)


@pytest.mark.verifies("REQ-354")
def test_strengths_rise() -> None:
    """A stronger strength makes each change at least as often, over at least as wide a range."""
    rows = [STRENGTHS[strength] for strength in get_args(Strength)]
    for weak, strong in itertools.pairwise(rows):
        for name, draw in weak.items():
            assert strong[name].probability >= draw.probability, name
            assert strong[name].high >= draw.high, name
    for draws in rows:
        for draw in draws.values():
            assert draw.low <= draw.high


@pytest.mark.parametrize(
    ("patch", "grid", "spacing"),
    [
        ((10, 14), (12, 18), (2.0, 1.0)),
        ((6, 10, 8), (9, 12, 11), (1.0, 1.4, 1.0)),
        ((4, 10, 8), (6, 12, 11), (4.0, 1.0, 1.2)),
    ],
)
def test_a_turn_is_that_of_scipy_inside_and_beyond_the_case(
    patch: tuple[int, ...], grid: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    """Both of an image and of its mask; `affine_transform` mirrors at the middles of the outer voxels too."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((2, *grid)).astype(np.float32)
    label = rng.integers(0, 4, grid).astype(np.uint8)
    start = [0] + [2] * (len(patch) - 1)
    frame = Frame.of(patch, spacing)
    made, mask = SpatialChange(frame, rotation=Draw(1, 40, 40))(np.random.default_rng(0), image, label, start)
    sine, cosine = np.sin(np.radians(40)), np.cos(np.radians(40))
    turn = np.eye(len(patch))
    planes = [(0, 1)] if len(patch) == 2 else [(1, 2)] if frame.thick == 0 else [(1, 2), (0, 2), (0, 1)]
    for one, other in planes:
        step = np.eye(len(patch))
        step[[one, other], [one, other]], step[one, other], step[other, one] = cosine, -sine, sine
        turn = turn @ step
    steps = np.array(spacing)
    matrix = np.diag(1 / steps) @ turn @ np.diag(steps)
    middle = (np.array(patch) - 1) / 2
    how = {"offset": np.array(start) + middle - matrix @ middle, "output_shape": patch, "mode": "mirror"}
    for channel, found in zip(image, made, strict=True):
        expected = ndimage.affine_transform(channel, matrix, order=1, **how)
        np.testing.assert_allclose(found, expected, atol=1e-4)
    nearest = ndimage.affine_transform(label, matrix, order=0, **how)
    assert (mask != nearest).mean() < 0.01, "but for places halfway between two voxels"


@pytest.mark.parametrize(
    ("patch", "spacing", "cells"),
    [
        ((16, 48), (3.0, 1.0), (4, 4)),
        ((16, 48), None, (1, 4)),
        ((12, 12, 12), (1.0, 1.0, 1.0), (4, 4, 4)),
    ],
)
def test_elastic_change_is_bounded_in_cells_and_folds_nothing(
    patch: tuple[int, ...], spacing: tuple[float, ...] | None, cells: tuple[int, ...]
) -> None:
    """A case whose channels are its coordinates shows where each voxel was read."""
    grid = tuple(2 * side for side in patch)
    image = np.stack(np.meshgrid(*[np.arange(side) for side in grid], indexing="ij")).astype(np.float32)
    start = [side // 2 for side in patch]
    cut = image[(slice(None), *(slice(first, first + side) for first, side in zip(start, patch, strict=True)))]
    change = SpatialChange(Frame.of(patch, spacing), elastic=Draw(1, 0.35, 0.35))
    for seed in range(4):
        read, _ = change(np.random.default_rng(seed), image, image[0].astype(np.uint8), start)
        for axis, (side, count) in enumerate(zip(patch, cells, strict=True)):
            moved = np.abs(read[axis] - cut[axis]).max()
            assert 0.05 * side / count < moved <= 0.35 * side / count + 1e-3
            assert (np.diff(read[axis], axis=axis) > 0).all(), "it folds"


def test_pixels_that_are_longer_than_wide_are_turned_by_halves() -> None:
    image, label = case("long pixels")
    plain, _ = augmenter_of(Augmentation(strength="none"), (16, 16))(
        np.random.default_rng(0), image, label, start_of("long pixels")
    )
    for seed in range(8):
        turned, _ = only("quarter-turns", "long pixels")(
            np.random.default_rng(seed), image, label, start_of("long pixels")
        )
        assert any(np.array_equal(turned, np.rot90(plain, turns, axes=(1, 2))) for turns in (0, 2))
