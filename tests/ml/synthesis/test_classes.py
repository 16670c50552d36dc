"""Generated sets of two classes: exclusive, both present, and told apart by more than brightness."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from minivess.ml.synthesis.parameters import parameters_of
from minivess.ml.synthesis.volume import SyntheticCase, synthesise

pytestmark = pytest.mark.verifies("SU-28", "REQ-326")

SHAPE = (24, 64, 64)
STEPS = np.array([2.0, 1.0, 1.0])


def make(seed: int = 1, **settings: object) -> SyntheticCase:
    return synthesise((7, seed), parameters_of(**{"shape": SHAPE, **settings}))


@pytest.fixture(scope="module")
def mixed() -> list[SyntheticCase]:
    return [make(seed, classes="artery-vein") for seed in range(1, 5)]


def test_both_classes_are_in_every_volume(mixed: list[SyntheticCase]) -> None:
    for case in mixed:
        assert set(np.unique(case.label).tolist()) == {0, 1, 2}
        assert min((case.label == 1).mean(), (case.label == 2).mean()) > 0.01


def test_each_centreline_lies_in_its_own_class_and_arteries_go_first(mixed: list[SyntheticCase]) -> None:
    for case in mixed:
        line = case.centreline
        voxels = np.rint(line.nodes / STEPS).astype(int)
        inside = ((voxels >= 0) & (voxels < np.array(SHAPE))).all(axis=1)
        met = case.label[tuple(voxels[inside].T)]
        tree = line.tree[inside]
        assert (met[tree == 0] == 1).mean() > 0.99
        assert (met[tree == 1] > 0).mean() > 0.9
        assert (met[tree == 1] == 2).mean() > 0.8


def test_an_artery_and_a_vein_do_not_touch_within_a_plane(mixed: list[SyntheticCase]) -> None:
    for case in mixed:
        for axis in (1, 2):
            low, high = np.delete(case.label, -1, axis), np.delete(case.label, 0, axis)
            assert ((low > 0) & (high > 0) & (low != high)).sum() <= 0.001 * case.label.size / 10


def test_the_arteries_are_those_that_would_be_there_without_veins() -> None:
    narrow, wide = (make(4, classes="artery-vein", vein_width=width) for width in (0.7, 2.0))
    assert np.array_equal(narrow.label == 1, wide.label == 1)
    assert (narrow.label == 2).sum() < (wide.label == 2).sum()


def test_veins_are_wider_and_both_trees_keep_murrays_law(mixed: list[SyntheticCase]) -> None:
    line = mixed[0].centreline
    children = line.children
    artery, vein = (line.radii[(line.tree == tree) & (children == 0)] for tree in (0, 1))
    assert 1.2 < np.median(vein) / np.median(artery) < 1.5
    for node in np.flatnonzero(children > 1)[:40]:
        after = np.flatnonzero(line.parents == node)
        assert (line.tree[after] == line.tree[node]).all()
        if line.radii[node] < 8.9:
            assert (line.radii[after] ** 3).sum() == pytest.approx(line.radii[node] ** 3)


def test_one_brightness_does_not_tell_an_artery_from_a_vein(mixed: list[SyntheticCase]) -> None:
    artery, vein = (np.concatenate([case.image[case.label == value] for case in mixed]) for value in (1, 2))
    for edge in np.quantile(np.concatenate([artery, vein]), np.linspace(0.02, 0.98, 49)):
        right = ((artery > edge).mean() + (vein <= edge).mean()) / 2
        assert 0.4 < right < 0.6


def test_the_dye_of_arteries_pulsates_and_that_of_veins_does_not() -> None:
    steady, beating = (
        make(2, classes="artery-vein", photons=400, psf_sigma_z_um=0.5, pulsation=pulsation) for pulsation in (0.0, 0.8)
    )
    assert np.array_equal(steady.label, beating.label)
    ratio = (beating.image.astype(float) - 100) / np.maximum(steady.image.astype(float) - 100, 1)
    by_line = [
        np.array([np.median(ratio[:, y][steady.label[:, y] == value]) for y in range(SHAPE[1])]) for value in (1, 2)
    ]
    arteries, veins = by_line
    assert arteries.max() > 1.25
    assert arteries.min() < 0.75
    assert np.abs(veins - 1).max() < 0.1
    peaks = np.flatnonzero((arteries[1:-1] > arteries[:-2]) & (arteries[1:-1] >= arteries[2:]) & (arteries[1:-1] > 1))
    assert np.median([b - a for a, b in pairwise(peaks.tolist())]) == 6


def test_lesions_are_in_either_tree() -> None:
    case = make(
        3, classes="artery-vein", shape=(32, 96, 96), stenoses=12, leaks=4, leak_radius_um=5, stenosis_length_um=10
    )
    assert {int(case.centreline.tree[lesion.node]) for lesion in case.stenoses} == {0, 1}
    assert case.leaked is not None
    assert not (case.leaked.astype(bool) & (case.label > 0)).any()


@pytest.mark.parametrize("axes", ["zyx", "yx"])
def test_a_wall_encloses_the_lumen_that_one_class_would_be(axes: str) -> None:
    plain, walled = (make(2, axes=axes, classes=classes) for classes in ("vessel", "lumen-wall"))
    assert np.array_equal(plain.label == 1, walled.label == 1)
    beside = ndimage.binary_dilation(
        walled.label == 1, ndimage.generate_binary_structure(2, 1)[None] if axes == "zyx" else None
    )
    assert not (beside & (walled.label == 0)).any()
    assert 0.2 < (walled.label == 2).sum() / (walled.label == 1).sum() < 3


def test_a_wall_is_as_thick_and_as_bright_as_its_settings_say() -> None:
    thin, thick = (make(2, classes="lumen-wall", wall_um=wall, photons=500) for wall in (1.0, 3.0))
    outside = ndimage.distance_transform_edt(thick.label != 1, sampling=STEPS)
    within = np.s_[3:-3, 6:-6, 6:-6]  # near the faces the lumen may lie outside
    for case, wall in ((thin, 1.0), (thick, 3.0)):
        found = outside[within][case.label[within] == 2].max()
        assert wall < found <= wall + 2.5  # voxels of the lumen end up to a diagonal inside its wall
    assert not ((thin.label == 2) & (thick.label != 2)).any()
    assert (thin.label == 2).sum() < 0.6 * (thick.label == 2).sum()
    dim, bright = (
        make(2, classes="lumen-wall", wall_brightness=glow, photons=500, psf_sigma_z_um=0.5) for glow in (0.1, 0.9)
    )
    wall, lumen = dim.label == 2, dim.label == 1
    assert bright.image[wall].mean() > 1.8 * dim.image[wall].mean()
    assert bright.image[lumen].mean() < 1.2 * dim.image[lumen].mean()
