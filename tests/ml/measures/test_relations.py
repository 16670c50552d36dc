"""Relations that hold for every mask, tried on each measure of the table: a measure that is added is tried too."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.ml.measures.shapes.thinning import components
from minivess.records.evaluation.measures import MEASURES
from tests.support.measure_relations import (
    RELATIONS,
    SPACING,
    Pair,
    Relations,
    Turn,
    badness,
    component_bodies,
    counted,
    is_perfect_alone,
    is_worst,
    number,
    perfect,
    refined,
    spacing_of,
    turned,
    turns,
    value,
    values,
    vessel_pair,
    vessels,
)
from tests.support.properties import assume, given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-241")]

every_measure = pytest.mark.parametrize("name", MEASURES)
volumes, planes = arrays(np.bool_, (3, 4, 4)), arrays(np.bool_, (5, 6))
masks = st.one_of(volumes, planes)
pairs = st.one_of(st.tuples(volumes, volumes), st.tuples(planes, planes))
TURNS = {axes: list(turns(axes)) for axes in (2, 3)}
any_turn = st.integers(0, 47)


def relations(name: str) -> Relations:
    return RELATIONS.get(name, Relations())


def turn_of(number_: int, axes: int) -> Turn:
    return TURNS[axes][number_ % len(TURNS[axes])]


@settings(max_examples=60)
@given(mask=masks, number_=any_turn)
def test_a_mask_is_perfect_beside_itself_in_every_turn(mask: np.ndarray, number_: int) -> None:
    turn = turn_of(number_, mask.ndim)
    spacing = tuple(spacing_of(mask)[axis] for axis in turn[0])
    itself = (turned(mask, turn), turned(mask, turn))
    odd = {name: one for name, one in values(itself, spacing).items() if not is_perfect_alone(name, one, mask)}
    assert not odd


@every_measure
@pytest.mark.parametrize("body", component_bodies().values(), ids=list(component_bodies()))
def test_a_body_of_even_width_is_perfect_beside_itself(name: str, body: np.ndarray) -> None:
    assert is_perfect_alone(name, value(name, (body, body)), body)
    assert is_perfect_alone(name, value(name, (refined(body), refined(body))), body)
    assert is_worst(name, value(name, (np.zeros_like(body), body)))


@settings(max_examples=60)
@given(mask=masks, which=st.integers(0, 20))
def test_the_loss_of_a_component_is_noticed(mask: np.ndarray, which: int) -> None:
    labels, count = components(mask)
    assume(count)
    found = mask & (labels != which % count + 1)
    for name, one in values((found, mask)).items():
        if relations(name).every_component or (not found.any() and relations(name).sees_empty):
            assert one != perfect(name), name


@settings(max_examples=40)
@given(pair=pairs)
def test_prediction_and_reference_can_be_exchanged(pair: Pair) -> None:
    there, back = values(pair), values(pair[::-1])
    for name in MEASURES:
        if relations(name).symmetric:
            assert back[name] == pytest.approx(there[name], abs=1e-12), name


@settings(max_examples=40)
@given(pair=pairs, number_=any_turn)
def test_an_exact_measure_does_not_change_by_flips_and_turns(pair: Pair, number_: int) -> None:
    turn = turn_of(number_, pair[0].ndim)
    spacing = tuple(spacing_of(pair[0])[axis] for axis in turn[0])
    there = (turned(pair[0], turn), turned(pair[1], turn))
    before, after = values(pair, (), 1.5), values(there, spacing, 1.5)
    for name in MEASURES:
        if not relations(name).turned:
            assert after[name] == pytest.approx(before[name], abs=1e-12), name


@every_measure
@pytest.mark.parametrize("axes", [2, 3])
def test_vessels_change_within_a_bound_by_flips_and_turns(name: str, axes: int) -> None:
    pair = vessel_pair(0, axes)
    before = number(name, pair, (), 1.5)
    for turn in TURNS[axes]:
        spacing = tuple(spacing_of(pair[0])[axis] for axis in turn[0])
        after = number(name, (turned(pair[0], turn), turned(pair[1], turn)), spacing, 1.5)
        assert after == pytest.approx(before, abs=relations(name).turned + 1e-12)


@settings(max_examples=40)
@given(pair=pairs, margins=st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_counts_do_not_change_in_a_larger_field(pair: Pair, margins: list[int]) -> None:
    axes = pair[0].ndim
    around = list(zip(margins[:axes], margins[3 : 3 + axes], strict=True))
    larger = (np.pad(pair[0], around), np.pad(pair[1], around))
    assert {name: counted(name, larger) for name in MEASURES} == {name: counted(name, pair) for name in MEASURES}


@every_measure
@pytest.mark.parametrize("axes", [2, 3])
def test_vessels_change_within_a_bound_on_a_finer_grid(name: str, axes: int) -> None:
    for seed in range(3):
        pair = vessel_pair(seed, axes)
        finer = tuple(step / 2 for step in spacing_of(pair[0]))
        after = number(name, (refined(pair[0]), refined(pair[1])), finer, 1.5)
        bounds = relations(name).refined
        low, high = bounds(pair, 1.5) if bounds else (number(name, pair, (), 1.5),) * 2
        assert low - 1e-12 <= after <= high + 1e-12


@every_measure
@pytest.mark.parametrize("axes", [2, 3])
def test_more_damage_is_never_better(name: str, axes: int) -> None:
    true = vessels(2, (12, 32, 32)[-axes:])
    found = true.copy()
    steps = [badness(name, number(name, (found, true)))]
    for start in range(0, 28, 4):
        found[..., start : start + 4] = False
        steps.append(badness(name, number(name, (found, true))))
    assert steps[0] == 0
    if not relations(name).sees_damage:
        return
    assert steps == sorted(steps)
    assert steps[-1] > steps[1] > 0


@every_measure
@pytest.mark.parametrize("axes", [2, 3])
def test_masks_that_are_empty_or_full(name: str, axes: int) -> None:
    empty, full = np.zeros((3, 4, 5)[-axes:], np.bool_), np.ones((3, 4, 5)[-axes:], np.bool_)
    assert is_perfect_alone(name, value(name, (empty, empty)), empty)
    assert is_perfect_alone(name, value(name, (full, full)), full)
    assert all(is_worst(name, value(name, pair)) for pair in ((empty, full), (full, empty)))


@every_measure
@pytest.mark.parametrize("axis", [-1, -2, -3])
@pytest.mark.parametrize("shape", [(3, 3, 3), (3, 3)])
def test_a_voxel_beside_a_voxel_is_one_step_of_its_own_axis_away(name: str, shape: tuple[int, ...], axis: int) -> None:
    one = np.zeros(shape, np.bool_)
    one[(1,) * len(shape)] = True
    assert is_perfect_alone(name, value(name, (one, one)), one)
    if -axis <= len(shape):
        best = perfect(name)
        expected = {
            "worst": SPACING[axis] if MEASURES[name].is_distance else 1 - best,
            "best": best,
            "none": None,
            "background": (one.size - 2) / (one.size - 1),
        }
        assert value(name, (np.roll(one, 1, axis), one)) == expected[relations(name).apart]


@every_measure
def test_a_field_of_one_voxel(name: str) -> None:
    one = np.ones((1, 1, 1), np.bool_)
    assert is_perfect_alone(name, value(name, (one, one)), one)
    assert is_worst(name, value(name, (~one, one)))


def test_a_distance_has_the_unit_of_the_spacing() -> None:
    """A distance grows with the spacing, and a share does not."""
    pair = vessel_pair(1)
    doubled = tuple(2 * step for step in SPACING)
    before, after = values(pair, SPACING, 1.5), values(pair, doubled, 3.0)
    for name, row in MEASURES.items():
        first, second = before[name], after[name]
        assert first is not None
        assert second == pytest.approx(first * (2 if row.is_distance else 1), abs=1e-12)
        assert math.isfinite(second)
