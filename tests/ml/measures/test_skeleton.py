"""Skeletons: every component has one, inside it, and thinning keeps the topology."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis.extra.numpy import arrays

from minivess.foundation.errors import UsageError
from minivess.ml.measures.case_pairs import CasePair
from minivess.ml.measures.cldice import cldice
from minivess.ml.measures.registry import count_measures
from minivess.ml.measures.shapes.skeletons import skeleton
from minivess.ml.measures.shapes.thinning import components, thin
from minivess.records.evaluation.counted.counts import CentrelineCounts
from minivess.records.evaluation.evaluation import SKELETON_BEFORE, Conventions
from tests.support.lazy_modules import lazily
from tests.support.measure_relations import component_bodies, refined, turned, turned_back, turns, vessels
from tests.support.properties import example, given, settings
from tests.support.properties import strategies as st

with lazily("scipy", "skimage.measure"):
    from scipy import ndimage
    from skimage import measure

pytestmark = [pytest.mark.verifies("SU-33"), pytest.mark.verifies("REQ-237")]

BODIES = component_bodies()
volumes = arrays(np.bool_, (3, 4, 5))


def has_a_voxel_in_each_component(line: np.ndarray, mask: np.ndarray) -> bool:
    labels, count = components(mask)
    return not (line & ~mask).any() and set(labels[line].tolist()) == set(range(1, count + 1))


def holes(mask: np.ndarray) -> tuple[int, int, int]:
    """Components, cavities and the Euler number: a topology has the same."""
    outside = ndimage.label(np.pad(~mask, 1, constant_values=True))[1]
    return components(mask)[1], outside - 1, int(measure.euler_number(mask, connectivity=3))


@settings(max_examples=80)
@given(mask=st.one_of(volumes, arrays(np.bool_, (6, 6))))
@example(mask=np.ones((2, 2), np.bool_))
@example(mask=np.ones((1, 1, 4), np.bool_))
def test_every_component_has_a_skeleton(mask: np.ndarray) -> None:
    assert has_a_voxel_in_each_component(skeleton(mask), mask)
    assert cldice(mask, mask) == 1.0


@pytest.mark.parametrize("name", BODIES)
def test_every_body_of_even_width_has_a_skeleton(name: str) -> None:
    for body in (BODIES[name], refined(BODIES[name]), BODIES[name][1:-1]):
        assert has_a_voxel_in_each_component(skeleton(body), body)


def test_vessels_on_a_finer_grid_have_a_skeleton_in_each_component() -> None:
    """Each width is even there."""
    mask = refined(vessels(4, (10, 24, 24)))
    assert has_a_voxel_in_each_component(skeleton(mask), mask)


@settings(max_examples=40)
@given(mask=volumes)
def test_thinning_keeps_the_topology_and_ends(mask: np.ndarray) -> None:
    line = thin(mask)
    assert np.array_equal(thin(np.asfortranarray(mask)), line)
    assert holes(line) == holes(mask)
    assert not (line & ~mask).any()
    assert np.array_equal(thin(line), line)


def test_a_long_body_is_thinned_to_a_line_of_its_length() -> None:
    bar = np.zeros((6, 6, 24), np.bool_)
    bar[2:4, 2:4, 2:22] = True
    line = skeleton(bar)
    assert line.sum(axis=(0, 1)).tolist() == [0] * 2 + [1] * 20 + [0] * 2
    half = bar.copy()
    half[:, :, 12:] = False
    assert cldice(half, bar) == pytest.approx(2 / 3)  # precision 1, sensitivity 1/2


def test_a_plan_of_before_keeps_the_rule_that_it_registered() -> None:
    """A mask that thinning removes was its own skeleton; a component of a larger mask had none."""
    bar, vessel = np.zeros((9, 9, 12), np.bool_), np.zeros((9, 9, 12), np.bool_)
    bar[1:3, 1:3, 1:11] = True
    vessel[5:8, 5:8, 1:11] = True
    before = Conventions(tolerance=1.0, unit="um", skeleton=SKELETON_BEFORE)
    now = Conventions(tolerance=1.0, unit="um")
    for mask, voxels_before, voxels_now in ((bar, 40, 10), (bar | vessel, 8, 18)):
        pair = CasePair.of(mask, mask, (1.0, 1.0, 1.0))
        for conventions, voxels in ((before, voxels_before), (now, voxels_now)):
            counted = count_measures(pair, conventions, ["cldice"])["cldice"]
            assert counted.model_dump()["reference"] == voxels
            assert isinstance(counted, CentrelineCounts)
            assert counted.measure == 1.0
    with pytest.raises(UsageError, match="no rule of the skeleton 'another'"):
        count_measures(pair, Conventions(tolerance=1.0, unit="um", skeleton="another"), ["cldice"])


def test_a_skeleton_depends_on_nothing_outside_its_component() -> None:
    bar, other = np.zeros((8, 9, 20), np.bool_), np.zeros((8, 9, 20), np.bool_)
    bar[3:5, 3:5, 3:17] = True
    other[0, 0, 0] = other[7, 7:9, 1:19] = True
    both = skeleton(bar | other)
    assert np.array_equal(both & bar, skeleton(bar))
    for margin in ((1, 0), (0, 1), (2, 3)):
        moved = skeleton(np.pad(bar, (margin,) * 3))
        assert np.array_equal(moved, np.pad(skeleton(bar), (margin,) * 3))


@pytest.mark.parametrize("name", [name for name in BODIES if name.startswith("box")])
def test_a_turned_box_moves_its_lines_by_less_than_its_half_width(name: str) -> None:
    """The bound that docs/concepts/measures.md states: half of the middle side, at least one voxel."""
    box = BODIES[name]
    bound = max(1, sorted(np.subtract(box.shape, 2))[1] // 2)
    line = thin(box)
    voxels = np.count_nonzero(box)
    for turn in turns(3):
        other = turned_back(thin(turned(box, turn)), turn)
        assert np.count_nonzero(other) <= voxels / 2
        for one, two in ((line, other), (other, line)):
            assert ndimage.distance_transform_cdt(~two, "chessboard")[one].max() <= bound
