"""Betti numbers, beside an independent computation: ranks of the boundary maps of the complex of closed cubes."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.registry import measure_values
from minivess.ml.measures.shapes.betti import BettiNumbers, betti_numbers, euler_characteristic
from minivess.records.evaluation.evaluation import Conventions
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-377")]

Cell = tuple[int, ...]
"""On a grid of half steps: even coordinates are points, odd ones extend along that axis."""


def cells_of(mask: np.ndarray) -> list[list[Cell]]:
    """The cells of the union of closed cubes, by their number of dimensions."""
    found: set[Cell] = set()
    for place in np.argwhere(mask):
        found.update(tuple(2 * place + 1 + np.array(step)) for step in product((-1, 0, 1), repeat=mask.ndim))
    by_size: list[list[Cell]] = [[] for _ in range(mask.ndim + 1)]
    for cell in sorted(found):
        by_size[sum(one % 2 for one in cell)].append(cell)
    return by_size


def faces(cell: Cell) -> list[Cell]:
    """The cells of one dimension less on the boundary of a cell."""
    return [
        tuple(one + step * (axis == place) for axis, one in enumerate(cell))
        for place, extends in enumerate(cell)
        if extends % 2
        for step in (-1, 1)
    ]


def rank(matrix: list[int]) -> int:
    """Of rows of bits over the field of two elements."""
    found: dict[int, int] = {}
    for given_row in matrix:
        row = given_row
        while row and (top := row.bit_length()) in found:
            row ^= found[top]
        if row:
            found[row.bit_length()] = row
    return len(found)


def by_ranks(mask: np.ndarray) -> BettiNumbers:
    """The Betti numbers from the ranks of the boundary maps."""
    cells = cells_of(mask)
    ranks = [0]
    for lower, upper in pairwise(cells):
        places = {cell: place for place, cell in enumerate(lower)}
        ranks.append(rank([sum(1 << places[face] for face in faces(cell)) for cell in upper]))
    ranks.append(0)
    numbers = [len(some) - ranks[size] - ranks[size + 1] for size, some in enumerate(cells)]
    return BettiNumbers(numbers[0], numbers[1], numbers[2] if mask.ndim == 3 else 0)


volumes, planes = arrays(np.bool_, (3, 3, 4)), arrays(np.bool_, (5, 6))


@settings(max_examples=60)
@given(mask=st.one_of(volumes, planes))
def test_betti_numbers_are_those_of_the_complex_of_cubes(mask: np.ndarray) -> None:
    assert betti_numbers(mask) == by_ranks(mask)


def test_known_bodies() -> None:
    ball = np.ones((5, 5, 5), np.bool_)
    hollow, ring = ball.copy(), ball.copy()
    hollow[2, 2, 2] = False
    ring[:, 2, 2] = False
    chamber = np.pad(hollow, 2)
    both = np.concatenate([hollow, np.zeros((1, 5, 5), np.bool_), ring])
    assert betti_numbers(ball) == (1, 0, 0)
    assert betti_numbers(hollow) == (1, 0, 1)
    assert betti_numbers(chamber) == (1, 0, 1)
    assert betti_numbers(ring) == (1, 1, 0)
    assert betti_numbers(both) == (2, 1, 1)
    assert betti_numbers(ring[0]) == (1, 1, 0)
    assert betti_numbers(np.zeros((2, 2), np.bool_)) == (0, 0, 0)
    assert betti_numbers(np.eye(3, dtype=np.bool_)) == (1, 0, 0)  # diagonal neighbours are one component
    assert euler_characteristic(both) == 2 - 1 + 1


def test_a_hole_in_a_mask_at_the_edge_is_open_where_the_field_ends() -> None:
    """Beyond the edge is background, so a channel to it is no cavity."""
    box = np.ones((4, 4, 4), np.bool_)
    box[1:3, 1, 1] = False
    assert betti_numbers(box) == (1, 0, 1)
    box[0, 1, 1] = False
    assert betti_numbers(box) == (1, 0, 0)
    box[3, 1, 1] = False
    assert betti_numbers(box) == (1, 1, 0)


@pytest.mark.parametrize("axes", [2, 3])
def test_the_errors_are_the_differences(axes: int) -> None:
    true, found = np.zeros((7, 9, 9)[-axes:], np.bool_), np.zeros((7, 9, 9)[-axes:], np.bool_)
    true[..., 1:8, 1:8] = True
    true[..., 3:5, 3:5] = False
    found[..., 1:3, 1:3] = found[..., 5:7, 5:7] = found[..., 1:3, 5:7] = True
    pair = CasePair.of(found, true, (1.0,) * axes)
    values = measure_values(pair, Conventions(tolerance=1.0, unit="px"), ["betti0_error", "betti1_error"])
    assert values == {"betti0_error": 2.0, "betti1_error": 1.0}
