"""Widths and lengths of structures whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.ml.planning import structures
from minivess.ml.planning.structures import class_shapes, structure_of, width_of

pytestmark = pytest.mark.verifies("SU-145")


def _tube(radius: float, length: int = 200) -> NDArray[np.bool_]:
    y, x = np.indices((24, 24)) - 12
    plane: NDArray[np.bool_] = y**2 + x**2 <= radius**2
    return np.repeat(plane[np.newaxis], length, axis=0)


@pytest.mark.parametrize("radius", [2, 4, 8])
def test_the_width_of_a_tube_is_its_diameter(radius: int) -> None:
    diameter = 2 * (float(_tube(radius)[0].sum()) / np.pi) ** 0.5
    assert width_of(_tube(radius), (1, 1, 1)) == pytest.approx(diameter, abs=0.5)
    assert width_of(_tube(radius), (1, 0.5, 0.5)) == pytest.approx(diameter / 2, abs=0.25)


def test_rough_corners_do_not_make_a_round_structure_narrow() -> None:
    grid = np.indices((64, 64)) - 32
    disc = (grid**2).sum(axis=0) <= 20**2
    disc[:, ::3] &= np.abs(grid[0][:, ::3]) <= 19
    disc[30:32, 4:12] = True
    assert width_of(disc, (1, 1)) == pytest.approx(39, abs=4)


def test_a_vessel_is_long_and_a_ball_is_not() -> None:
    tube, ball = _tube(3), (np.indices((31, 31, 31)) - 15) ** 2
    filled = ball.sum(axis=0) <= 14**2
    found = {
        "vessel": [structure_of(tube, (1, 1, 1), parts=1, largest=int(tube.sum()))],
        "organ": [structure_of(filled, (1, 1, 1), parts=1, largest=int(filled.sum()))],
    }
    vessel, organ = class_shapes(found)
    assert vessel.lengths == pytest.approx(200 / 6, rel=0.3)
    assert not organ.long
    assert organ.lengths == pytest.approx(2 / 3, rel=0.2)
    assert vessel.voxels_across < organ.voxels_across


def test_many_small_parts_are_not_one_long_structure() -> None:
    mask = np.zeros((400, 400), bool)
    for place in range(5, 395, 10):
        mask[place : place + 3, ::10] = mask[place : place + 3, 1::10] = mask[place : place + 3, 2::10] = True
    assert not class_shapes({"lesion": [structure_of(mask, (1, 1), parts=1600, largest=9)]})[0].long


def test_an_absent_class_is_counted_and_has_no_shape() -> None:
    empty, full = np.zeros((8, 8), bool), np.ones((8, 8), bool)
    cases = [structure_of(empty, (1, 1), parts=0, largest=0), structure_of(full, (1, 1), parts=1, largest=64)]
    [shape] = class_shapes({"met": cases, "never": cases[:1]})
    assert (shape.name, shape.absent, shape.cases) == ("met", 1, 2)


def test_a_large_structure_is_measured_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = width_of(_tube(4), (1, 1, 1))
    monkeypatch.setattr(structures, "LARGEST_WINDOW", 9 * 9 * 40)
    assert width_of(_tube(4), (1, 1, 1)) == whole


def test_a_line_of_one_or_two_voxels_is_between_one_and_two_voxels_wide() -> None:
    line = np.zeros((9, 9, 9), bool)
    line[:, 4, 4] = True
    assert width_of(line, (5, 1, 1)) == 1.5
    line[:, 5, 4] = True
    assert width_of(line, (5, 1, 1)) == 1.5
