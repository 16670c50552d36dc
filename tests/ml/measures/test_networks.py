"""Branches, length and radius of skeletons, and objects that match."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import count_measures
from minivess.ml.measures.shapes.skeletons import network
from minivess.ml.measures.shapes.thinning import components
from minivess.records.evaluation.evaluation import Conventions
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-378")]


def line(*places: tuple[int, ...], shape: tuple[int, ...] = (9, 9)) -> np.ndarray:
    mask = np.zeros(shape, np.bool_)
    for place in places:
        mask[place] = True
    return mask


def test_length_is_measured_along_the_steps_with_their_spacing() -> None:
    straight = line(*((4, x) for x in range(1, 8)))
    diagonal = line(*((x, x) for x in range(1, 8)))
    assert network(straight, straight, (2.0, 0.5)).length == 6 * 0.5
    assert network(diagonal, diagonal, (2.0, 0.5)).length == pytest.approx(6 * math.hypot(2.0, 0.5))
    deep = line((1, 1, 1), (2, 2, 2), (3, 2, 2), (3, 3, 3), shape=(5, 5, 5))
    assert network(deep, deep, (1.0, 1.0, 1.0)).length == pytest.approx(math.sqrt(3) + 1 + math.sqrt(2))


def test_a_corner_counts_its_two_steps_and_not_the_diagonal_too() -> None:
    corner = line((2, 2), (2, 3), (3, 3))
    assert network(corner, corner, (1.0, 1.0)).length == 2.0


def test_a_single_voxel_is_a_branch_without_a_length() -> None:
    one = line((4, 4))
    assert network(one, one, (1.0, 3.0)) == (1, 0.0, 1.0)
    nothing = np.zeros((9, 9), np.bool_)
    assert network(nothing, nothing, (1.0, 1.0)) == (0, 0.0, None)


@pytest.mark.parametrize(
    ("mask", "branches"),
    [
        (line(*((4, x) for x in range(9))), 1),
        (line(*((4, x) for x in range(9)), *((y, 4) for y in range(9))), 4),
        (line(*((4, x) for x in range(9)), *((y, 4) for y in range(4))), 3),
        (line(*((4, x) for x in range(4)), *((4, x) for x in range(5, 9))), 2),
        (line((3, 3), (3, 4), (3, 5), (4, 5), (5, 5), (5, 4), (5, 3), (4, 3)), 1),
        (line((2, 1), (2, 2), (2, 3), (3, 3), (4, 3)), 1),
        (np.ones((2, 2, 2), np.bool_), 1),
    ],
    ids=["line", "cross", "t", "two lines", "ring", "corner", "only junctions"],
)
def test_branches_are_the_parts_between_junctions(mask: np.ndarray, branches: int) -> None:
    assert network(mask, mask, (1.0,) * mask.ndim).branches == branches


@settings(max_examples=40)
@given(mask=st.one_of(arrays(np.bool_, (3, 4, 4)), arrays(np.bool_, (6, 7))))
def test_each_component_has_a_branch_and_lengths_are_those_of_every_turn(mask: np.ndarray) -> None:
    spacing = (2.0, 1.0, 0.5)[-mask.ndim :]
    found = network(mask, mask, spacing)
    assert found.branches >= components(mask)[1]
    for axis in range(mask.ndim):
        flipped = network(np.flip(mask, axis), np.flip(mask, axis), spacing)
        assert flipped.branches == found.branches
        assert flipped.length == pytest.approx(found.length)
        assert flipped.radius == pytest.approx(found.radius)
    larger = np.pad(mask, 2)
    assert network(larger, larger, spacing) == found


@pytest.mark.parametrize("radius", [2, 4])
def test_the_radius_of_a_tube_is_the_distance_to_the_background(radius: int) -> None:
    grid = np.indices((15, 15)) - 7
    tube = np.repeat((np.hypot(*grid) <= radius)[np.newaxis], 11, axis=0)
    centre = np.zeros_like(tube)
    centre[3:8, 7, 7] = True
    found = network(tube, centre, (1.0, 0.5, 0.5))
    assert found.radius is not None
    assert 0.5 * radius < found.radius <= 0.5 * (radius + 1)
    assert found.length == 4.0


def objects(found: np.ndarray, true: np.ndarray) -> dict[str, object]:
    pair = CasePair.of(found, true, (1.0,) * found.ndim)
    return count_measures(pair, Conventions(tolerance=1.0, unit="px"), ["object_f1"])["objects"].model_dump()


def test_objects_match_by_more_than_half_of_their_union() -> None:
    true, found = np.zeros((3, 30), np.bool_), np.zeros((3, 30), np.bool_)
    true[1, 0:4] = true[1, 10:14] = true[1, 20:24] = True
    found[1, 0:3] = True  # 3 of 4
    found[1, 10:12] = True  # exactly half: no match
    found[1, 27:29] = True  # nothing there
    assert objects(found, true) == {"tp": 1, "fp": 2, "fn": 2}
    assert objects(true, found) == {"tp": 1, "fp": 2, "fn": 2}


@settings(max_examples=40)
@given(pair=st.tuples(arrays(np.bool_, (6, 7)), arrays(np.bool_, (6, 7))))
def test_objects_are_those_of_a_comparison_one_by_one(pair: tuple[np.ndarray, np.ndarray]) -> None:
    (found, number), (true, there) = map(components, pair)
    bodies = [found == one for one in range(1, number + 1)], [true == one for one in range(1, there + 1)]
    matched = sum(
        2 * np.count_nonzero(one & other) > np.count_nonzero(one | other) for one in bodies[0] for other in bodies[1]
    )
    assert objects(*pair) == {"tp": matched, "fp": number - matched, "fn": there - matched}
