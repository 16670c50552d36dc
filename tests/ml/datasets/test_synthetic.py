"""The generator: deterministic, in range, and hard for a threshold."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.datasets.synthesis.vasculature import grow
from minivess.ml.datasets.synthesis.volume import generate_volume

SMALL = (12, 40, 40)


@pytest.mark.verifies("REQ-010")
def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = generate_volume((7, 1), shape=SMALL), generate_volume((7, 1), shape=SMALL)
    assert first.image.tobytes() == second.image.tobytes()
    assert first.label.tobytes() == second.label.tobytes()
    assert np.array_equal(first.centreline.segments, second.centreline.segments)


@pytest.mark.verifies("REQ-010")
def test_another_seed_gives_another_volume() -> None:
    first, second = generate_volume((7, 1), shape=SMALL), generate_volume((7, 2), shape=SMALL)
    assert not np.array_equal(first.image, second.image)
    assert not np.array_equal(first.label, second.label)


def test_the_volume_is_what_its_description_says() -> None:
    case = generate_volume(5, shape=SMALL)
    assert case.image.shape == case.label.shape == SMALL
    assert case.image.dtype == np.uint16
    assert case.label.dtype == np.uint8
    assert set(np.unique(case.label).tolist()) == {0, 1}
    assert case.image[case.label == 1].mean() > 1.2 * case.image[case.label == 0].mean()


def test_the_centreline_lies_inside_the_mask() -> None:
    case = generate_volume((7, 3), shape=(24, 48, 48))
    middles = case.centreline.segments.mean(axis=1) / np.array([2.0, 1.0, 1.0])
    voxels = np.rint(middles).astype(int)
    inside = ((voxels >= 0) & (voxels < np.array([24, 48, 48]))).all(axis=1)
    hits = case.label[tuple(voxels[inside].T)]
    assert inside.sum() > 20
    assert hits.mean() > 0.99


def test_the_hard_setting_defeats_a_single_threshold() -> None:
    cases = [generate_volume((7, number)) for number in range(3)]
    fractions = [float(case.label.mean()) for case in cases]
    assert all(0.03 <= fraction <= 0.12 for fraction in fractions)

    def dice(case, threshold: float) -> float:
        found, truth = case.image > threshold, case.label == 1
        return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))

    candidates = np.unique(np.quantile(cases[0].image, np.linspace(0.5, 0.995, 60)))
    best = max(np.mean([dice(case, threshold) for case in cases]) for threshold in candidates)
    assert 0.70 < best < 0.80


def test_fewer_photons_are_noisier() -> None:
    few, many = generate_volume(1, shape=SMALL, photons=2), generate_volume(1, shape=SMALL, photons=50)

    def contrast(case) -> float:
        inside, outside = case.image[case.label == 1].astype(float), case.image[case.label == 0].astype(float)
        return float((inside.mean() - outside.mean()) / outside.std())

    assert contrast(many) > contrast(few)


@pytest.mark.parametrize("gamma", [2.5, 3.0])
def test_radii_obey_murrays_law_at_every_uncapped_branching(gamma: float) -> None:
    line = grow(np.random.Generator(np.random.PCG64(4)), (96.0, 96.0, 96.0), gamma=gamma)
    assert line.loops > 0

    starts = {}
    for (start, _), (radius, _) in zip(line.segments.round(6).tolist(), line.radii.tolist(), strict=True):
        starts.setdefault(tuple(start), []).append(radius)
    checked = 0
    for (_, end), (radius, _) in zip(line.segments.round(6).tolist(), line.radii.tolist(), strict=True):
        children = starts.get(tuple(end), [])
        if len(children) > 1 and radius < 8.9 and max(children) < radius:
            assert sum(child**gamma for child in children) == pytest.approx(radius**gamma)
            checked += 1
    assert checked > 5


@pytest.mark.parametrize("wrong", [{"shape": (0, 4, 4)}, {"photons": -1.0}, {"shape": (4096, 4096, 4096)}])
def test_impossible_sizes_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        generate_volume(0, **wrong)
