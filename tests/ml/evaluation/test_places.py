"""Places of errors: against counts by whole distance transforms, and sums that are those of the masks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from minivess.ml.evaluation.places import count_places
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.dice import overlap
from minivess.ml.measures.shapes.skeletons import skeleton
from minivess.ml.uncertainty.reliability import border_band
from minivess.records.evaluation.counted.places import RADII, ErrorsByPlace
from minivess.records.evaluation.evaluation import Conventions
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-158"), pytest.mark.verifies("REQ-417")]

CONVENTIONS = Conventions(tolerance=1.0, unit="um")
Mask = NDArray[np.bool_]


def masks(seed: int, shape: tuple[int, ...], share: float) -> tuple[Mask, Mask]:
    rng = np.random.default_rng(seed)
    smooth = [ndimage.gaussian_filter(rng.normal(size=shape), 1.2) for _ in range(2)]
    first, second = smooth[0], smooth[0] + 0.5 * smooth[1]
    return first > np.quantile(first, 1 - share), second > np.quantile(second, 1 - share)


def counted(predicted: Mask, true: Mask, spacing: tuple[float, ...]) -> ErrorsByPlace:
    return count_places(CasePair.of(predicted, true, spacing), CONVENTIONS, border_band(true))


@settings(max_examples=25)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(7, 12, 15), (23, 9, 8), (1, 14, 14), (16, 21)]),
    st.sampled_from([0.0, 0.02, 0.2, 0.7, 1.0]),
)
def test_every_table_divides_all_voxels(seed: int, shape: tuple[int, ...], share: float) -> None:
    predicted, true = masks(seed, shape, share)
    found = counted(predicted, true, (2.0, 0.7, 0.7)[-len(shape) :])
    assert found.contradiction(overlap(predicted, true)) is None
    pieces = ndimage.label(true, np.ones((3,) * true.ndim))[1]
    assert sum(one.whole for one in found.missed.components) == pieces


@pytest.mark.parametrize("share", [0.1, 0.4])  # looked up in a tree, and by a distance transform
@pytest.mark.parametrize("shape", [(12, 26, 28), (40, 44)])
def test_the_radius_is_that_of_whole_distance_transforms(shape: tuple[int, ...], share: float) -> None:
    predicted, true = masks(5, shape, share)
    spacing = (3.0, 0.9, 1.1)[-len(shape) :]
    line = skeleton(true)
    radii = ndimage.distance_transform_edt(true, sampling=spacing)
    near = ndimage.distance_transform_edt(~line, sampling=spacing)
    missed = true & ~predicted
    bins = np.searchsorted(RADII, radii, side="right") - 1
    found = {one.bin: one for one in counted(predicted, true, spacing).missed.radius}
    places, lines = np.argwhere(true), np.argwhere(line)
    low = dict.fromkeys(range(len(RADII)), 0)
    high = dict(low)
    for place in places:  # of several voxels of the skeleton at one distance any may be taken
        apart = np.sqrt((((lines - place) * spacing) ** 2).sum(axis=1))
        possible = {int(bins[tuple(one)]) for one in lines[apart <= near[tuple(place)] + 1e-9]}
        for number in possible:
            high[number] += 1
            low[number] += len(possible) == 1
    assert set(found) <= {number for number, count in high.items() if count}
    for number, most in high.items():
        assert low[number] <= (found[number].whole if number in found else 0) <= most
    assert sum(one.wrong for one in found.values()) == np.count_nonzero(missed)


def test_errors_are_where_they_were_put() -> None:
    true = np.zeros((20, 30, 30), np.bool_)
    true[:, 5:12, 5:12] = True
    true[18:, 20:22, 20:22] = True
    predicted = true.copy()
    predicted[18:, 20:22, 20:22] = False
    predicted[0, 8, 8] = False
    predicted[4, 25, 25] = True
    found = counted(predicted, true, (1.0, 1.0, 1.0))
    assert {one.bin: one.wrong for one in found.missed.depth if one.wrong} == {0: 1, 9: 8}
    assert [(one.bin, one.whole, one.wrong) for one in found.missed.components] == [(0, 1, 1), (2, 1, 0)]
    assert [(one.bin, one.whole, one.wrong) for one in found.missed.size] == [(0, 8, 8), (2, 980, 1)]
    assert [(one.bin, one.whole, one.wrong) for one in found.false.components] == [(0, 1, 1), (2, 1, 0)]
    assert {one.bin: one.wrong for one in found.false.depth if one.wrong} == {2: 1}
    assert {one.bin: one.wrong for one in found.false.border} == {0: 0, 1: 1}
    assert sum(one.whole for one in found.missed.border) == 988


def test_a_reference_that_fills_the_volume_has_a_radius_to_the_outside() -> None:
    true = np.ones((5, 5, 5), np.bool_)
    places = counted(true, true, (1.0, 1.0, 1.0)).missed.radius
    assert {RADII[one.bin]: one.whole for one in places} == {2.0: 100, 3.0: 25}
    empty = counted(~true, ~true, (1.0, 1.0, 1.0))
    assert empty.missed.radius == empty.missed.border == empty.false.size == ()
