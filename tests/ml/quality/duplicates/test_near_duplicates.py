"""Near duplicates: copies are found whatever was done to them, and only copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.quality.duplicates.near_duplicates import find
from minivess.records.data.likeness import Likeness, NearDuplicate
from tests.support.lazy_modules import lazily

with lazily("scipy"):
    from scipy import ndimage

pytestmark = pytest.mark.verifies("SU-62")

Array = np.ndarray


def scene(seed: int, shape: tuple[int, ...] = (140, 140)) -> Array:
    """A structure with detail of several sizes, float32, 0 to 200."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=shape), sigma) * sigma for sigma in (1.5, 3.0, 6.0)]
    total = sum(fields)
    return np.asarray(200 * (total - total.min()) / np.ptp(total), np.float32)


def only(pairs: tuple[NearDuplicate, ...]) -> NearDuplicate:
    assert [pair.cases for pair in pairs] == [("i0", "copy")]
    return pairs[0]


def others(count: int = 4, shape: tuple[int, ...] = (140, 140)) -> list[tuple[str, Array]]:
    return [(f"i{number}", scene(number, shape)) for number in range(count)]


@pytest.mark.verifies("REQ-085")
def test_identical_images_are_called_so() -> None:
    pair = only(find([*others(), ("copy", scene(0))]))
    assert (pair.kind, pair.score) == (Likeness.IDENTICAL, 1.0)


@pytest.mark.verifies("REQ-085")
def test_several_changes_at_once() -> None:
    copy = scene(0)[10:130, 5:125][::-1] * 0.7 + 9 + np.random.default_rng(1).normal(0, 4, (120, 120))
    pair = only(find([*others(), ("copy", copy.astype(np.float32))]))
    assert pair.kind is Likeness.TURNED
    assert "mirrored top to bottom" in pair.detail
    assert "86 % of the other's scale" in pair.detail
    assert pair.score > 0.9


@pytest.mark.verifies("REQ-085")
def test_a_copy_made_square_and_half_as_large_is_found() -> None:
    images = others(4, (120, 200))
    squeezed = ndimage.zoom(images[0][1], (100 / 120, 0.5), order=1)
    assert only(find([*images, ("copy", squeezed)])).score > 0.8


@pytest.mark.verifies("REQ-085")
def test_colour_images_are_compared() -> None:
    images = [(name, np.stack([image, image * 0.5, 90 - image / 4], axis=-1)) for name, image in others(4)]
    copy = images[0][1][:, ::-1] * 1.2
    assert only(find([*images, ("copy", copy)])).kind is Likeness.TURNED


@pytest.mark.verifies("REQ-085")
@pytest.mark.parametrize(
    "change",
    [
        lambda volume: volume[:20],
        lambda volume: volume[:, 8:72, 10:74],
        lambda volume: volume[::-1] * 2 + 5,
        lambda volume: np.roll(volume, 7, axis=2),
    ],
    ids=["fewer planes", "cropped", "upside down", "shifted"],
)
def test_volumes_are_compared(change: Callable[[np.ndarray], np.ndarray]) -> None:
    images = others(4, (25, 80, 80))
    assert only(find([*images, ("copy", change(images[0][1]))])).score > 0.7


@pytest.mark.verifies("REQ-085")
def test_a_common_frame_makes_no_pair() -> None:
    corners = np.add.outer(np.abs(np.arange(140) - 70), np.abs(np.arange(140) - 70)) > 88
    images = [
        (f"i{number}", np.where(corners, 0, 30 + image)) for number, image in enumerate(scene(n) for n in range(6))
    ]
    assert find(images) == ()


@pytest.mark.verifies("REQ-085")
def test_smooth_and_empty_images_make_no_pair() -> None:
    ramps = [np.add.outer(np.arange(90.0), number * np.arange(90.0)) for number in range(4)]
    blobs = [ndimage.gaussian_filter(scene(number, (90, 90)), 14) for number in range(4)]
    images = [(f"i{number}", image) for number, image in enumerate([*ramps, *blobs, np.zeros((64, 64))])]
    assert find(images) == ()
    images[3] = ("nan", np.full((90, 90), np.nan))
    assert find(images) == ()


def test_few_images() -> None:
    assert find([]) == ()
    assert find([("one", scene(1))]) == ()
    with pytest.raises(UsageError, match="1 axes"):
        find([("line", np.zeros(9))])


@pytest.mark.verifies("REQ-085")
def test_progress_ends() -> None:
    heard: list[tuple[str, int, int]] = []
    find(others(3), progress=lambda *args: heard.append(args))
    assert heard[0][0] == "fingerprints"
    assert heard[-1][1] == heard[-1][2] > 0


@pytest.mark.verifies("REQ-293")
def test_the_views_from_the_side_do_not_hide_a_turned_volume() -> None:
    images = others(3, (33, 72, 72))
    turned = ndimage.rotate(images[0][1], 12, axes=(1, 2), reshape=False, order=1)
    pair = only(find([*images, ("copy", turned.astype(np.float32))]))
    assert "turned by" in pair.detail
