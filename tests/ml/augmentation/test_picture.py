"""The picture of augmented patches: which slice, which outlines, one scale of intensities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minivess.ml.augmentation.patches import Patches
from minivess.ml.augmentation.picture import GAP, OUTLINES, augmentation_picture

pytestmark = pytest.mark.verifies("SU-31", "REQ-355")


def drawn(patches: list[Patches], folder: Path) -> np.ndarray:
    path = folder / "pictures" / "augmentation.png"
    augmentation_picture(patches, path)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def patch(*, value: float, channels: int = 1, shape: tuple[int, ...] = (3, 8, 8)) -> Patches:
    image = np.full((channels, *shape), value, np.float32)
    label = np.zeros(shape, np.uint8)
    label[..., 2:6, 2:6] = 1
    return image, label


def test_sixteen_patches_stand_in_rows_of_four(tmp_path: Path) -> None:
    many = (patch(value=float(number)) for number in range(40))
    picture = drawn(many, tmp_path)
    assert picture.shape == (4 * 192 + 3 * GAP, 4 * 192 + 3 * GAP, 3)
    assert next(many)[0][0, 0, 0, 0] == 16, "patches that are not shown were drawn"


def test_brightness_can_be_compared_between_patches(tmp_path: Path) -> None:
    picture = drawn([patch(value=-1), patch(value=0), patch(value=1)], tmp_path)
    greys = [int(picture[4, number * (192 + GAP) + 4, 0]) for number in range(3)]
    assert greys[0] < greys[1] < greys[2]


def test_the_outline_of_the_middle_slice_has_the_colour_of_its_class(tmp_path: Path) -> None:
    image, label = patch(value=0)
    label[0], label[2] = 3, 3
    label[1, 2:6, 2:6] = 2
    picture = drawn([(image, label)], tmp_path)
    found = {tuple(int(part) for part in colour) for colour in picture.reshape(-1, 3)}
    assert found == {(0, 0, 0), OUTLINES[1]}
    marked = (picture == OUTLINES[1]).all(axis=-1)
    assert marked[48:144, 48].all()
    assert not marked[48 + 4 : 140, 48 + 4 : 140].any(), "the inside is hidden"


def test_three_channels_are_colours(tmp_path: Path) -> None:
    image, label = patch(value=0, channels=3, shape=(8, 8))
    image[0] = 1
    picture = drawn([(image, label)], tmp_path)
    assert tuple(picture[2, 2]) == (255, 0, 0)


def test_a_picture_of_nothing_is_a_picture(tmp_path: Path) -> None:
    assert drawn([], tmp_path).shape[-1] == 3
