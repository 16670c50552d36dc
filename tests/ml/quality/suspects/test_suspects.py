"""The quality of masks, folds, features, and the classifier of voxels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.quality.suspects import cross_fitting
from minivess.ml.quality.suspects.cross_fitting import VoxelCase, cross_fitted, folds_of
from minivess.ml.quality.suspects.mask_quality import mask_quality, with_background
from minivess.ml.quality.suspects.ranking import ranked
from minivess.ml.quality.suspects.voxel_classifier import PER_CLASS, VoxelClassifier, VoxelSample, draw
from minivess.ml.quality.suspects.voxel_features import voxel_features
from minivess.records.evaluation.suspects import SuspectsRecord
from tests.support.properties import given, settings, strategies

pytestmark = pytest.mark.verifies("REQ-408")

DIGEST = f"sha256:{'0' * 64}"


def sure_of(label: NDArray[np.integer], classes: int = 2, certainty: float = 0.9) -> NDArray[np.float32]:
    """Probabilities that expect a mask."""
    rest = (1 - certainty) / classes
    return np.stack([np.where(label == n, certainty, rest) for n in range(classes + 1)]).astype(np.float32)


def test_the_quality_is_that_of_the_reference_implementation() -> None:
    """The values are those of cleanlab 2.9.0, segmentation.rank.get_label_quality_scores, method softmin."""
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet((1, 1, 1), (4, 6, 7)).transpose(0, 3, 1, 2).astype(np.float32)
    labels = rng.integers(0, 3, (4, 6, 7)).astype(np.uint8)
    found = [mask_quality(one, label).quality for one, label in zip(probabilities, labels, strict=True)]
    assert found == pytest.approx(REFERENCE, abs=1e-6)


REFERENCE = [0.08691477, 0.10045882, 0.08583345, 0.07073919]


@given(seed=strategies.integers(0, 2**16))
@settings(max_examples=30)
def test_a_mask_that_is_expected_has_the_best_quality(seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, (5, 6)).astype(np.uint8)
    wrong = label.copy()
    wrong[0, 0] = (wrong[0, 0] + 1) % 3
    right, worse = (mask_quality(sure_of(label), mask) for mask in (label, wrong))
    assert right.quality == pytest.approx(0.9)
    assert worse.quality < right.quality
    assert worse.disagreement >= right.disagreement
    assert right.region is None
    assert worse.region is not None
    assert (worse.region.start, worse.region.stop) == ((0, 0), (1, 1))
    assert (worse.region.labelled, worse.region.expected) == (wrong[0, 0], label[0, 0])


def test_the_largest_contradicted_region_is_named() -> None:
    expected = np.zeros((6, 20, 20), np.uint8)
    expected[2:4, 3:9, 3:9] = 1
    stated = np.zeros_like(expected)
    stated[0, 15, 15] = 2
    region = mask_quality(sure_of(expected), stated).region
    assert region is not None
    assert (region.start, region.stop, region.voxels) == ((2, 3, 3), (4, 9, 9), 72)
    assert (region.labelled, region.expected) == (0, 1)


def test_a_case_without_foreground_is_judged() -> None:
    empty = np.zeros((4, 4), np.uint8)
    found = mask_quality(sure_of(empty, certainty=0.999), empty)
    assert found.quality == pytest.approx(0.999, abs=1e-3)
    assert found.disagreement == 0


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError):
        mask_quality(np.zeros((2, 3, 3), np.float32), np.zeros((3, 4), np.uint8))
    with pytest.raises(InputError):
        mask_quality(np.zeros((2, 3, 3), np.float32), np.full((3, 3), 2, np.uint8))


def test_one_output_gets_its_background() -> None:
    one = np.full((1, 2, 2), 0.3, np.float32)
    assert with_background(one).sum(axis=0) == pytest.approx(np.ones((2, 2)))
    assert with_background(np.zeros((3, 2, 2), np.float32)).shape == (3, 2, 2)


@given(
    groups=strategies.lists(strategies.sampled_from("abcdefg"), min_size=2, max_size=20),
    folds=strategies.integers(2, 6),
)
def test_groups_are_never_divided_between_folds(groups: list[str], folds: int) -> None:
    named = {f"case-{number}": name for number, name in enumerate(groups)}
    if len(set(groups)) < 2:
        with pytest.raises(UsageError, match="one group"):
            folds_of(named, folds, seed=0)
        return
    found = folds_of(named, folds, seed=0)
    for name in set(groups):
        assert len({found[case] for case, group in named.items() if group == name}) == 1
    assert set(found.values()) == set(range(min(folds, len(set(groups)))))


@pytest.mark.parametrize("shape", [(6, 9, 10), (9, 10), (1, 9, 10)])
@pytest.mark.parametrize("channels", [1, 2])
def test_features_do_not_depend_on_the_scale_of_intensities(shape: tuple[int, ...], channels: int) -> None:
    image = np.random.default_rng(0).gamma(2, 2, shape if channels == 1 else (*shape, channels))
    axes, spacing = len(shape), (1.0,) * len(shape)
    found = voxel_features(image, axes, spacing)
    assert found.shape == (13 * channels + axes, *shape)
    assert np.isfinite(found).all()
    assert np.allclose(found, voxel_features(1000 + 30 * image, axes, spacing), atol=1e-3)


def test_a_bright_ridge_has_a_negative_curvature() -> None:
    image = np.zeros((21, 21))
    image[10] = 5
    found = voxel_features(image, 2, (1.0, 1.0))
    smallest = found[4]
    assert smallest[10, 10] == smallest.min()


def test_the_sample_has_voxels_of_each_class_and_their_number() -> None:
    label = np.zeros((40, 40), np.uint8)
    label[0, :5] = 1
    sample = draw(np.random.default_rng(0), "c", np.zeros((2, 40, 40), np.float32), label, 1)
    assert np.bincount(sample.classes).tolist() == [PER_CLASS, 5]
    assert sample.weights.sum() == pytest.approx(1)
    assert sample.weights[sample.classes == 1].sum() == pytest.approx(5 / 1600)


def test_the_classifier_learns_three_classes() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, 1, (2, 3000)).astype(np.float32)
    classes = np.where(features[0] > 0.5, 1, np.where(features[1] > 0.5, 2, 0)).astype(np.uint8)
    sample = VoxelSample("c", features, classes, np.full(3000, 1 / 3000))
    found = VoxelClassifier.fit([sample], 2).predict(features)
    assert found.shape == (3, 3000)
    assert found.sum(axis=0) == pytest.approx(np.ones(3000), abs=1e-4)
    assert (found.argmax(axis=0) == classes).mean() > 0.9
    with pytest.raises(UsageError):
        VoxelClassifier.fit([], 2)


def test_large_cases_are_looked_at_on_a_coarser_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_fitting, "LARGEST", 1000)
    cases = []
    for number in range(4):
        label = np.zeros((4, 40, 40), np.uint8)
        label[:, 10:30, 8 + number : 20] = 1
        cases.append(VoxelCase(f"c{number}", label * 5.0 + number, label, (2.0, 1.0, 1.0)))
    cases[2] = cases[2]._replace(label=np.roll(cases[2].label, 15, axis=2))
    groups = {case.name: case.name for case in cases}
    record = ranked(
        cross_fitted(lambda: cases, groups, classes=1, seed=0),
        groups=groups,
        classes=["vessel"],
        data=DIGEST,
        predictor="cross-fitted",
        seed=0,
    )
    worst = record.cases[0]
    assert worst.case == "c2"
    assert worst.region is not None
    assert worst.region.start[0] == 0
    assert worst.region.stop[0] == 4
    assert max(worst.region.stop[1:]) > 20  # in voxels of the case


def test_the_same_seed_gives_the_same_list_and_another_order_of_cases_too() -> None:
    rng = np.random.default_rng(1)
    cases = [
        VoxelCase(f"c{n}", rng.normal(0, 1, (12, 12)), (rng.random((12, 12)) < 0.3).astype(np.uint8), (1.0, 1.0))
        for n in range(6)
    ]
    groups = {case.name: case.name for case in cases}

    def rank(order: list[VoxelCase]) -> SuspectsRecord:
        expected = cross_fitted(lambda: order, groups, classes=1, seed=3)
        return ranked(expected, groups=groups, classes=["v"], data=DIGEST, predictor="cross-fitted", seed=3)

    first = rank(cases)
    assert rank(cases) == first
    assert SuspectsRecord.model_validate_json(first.model_dump_json()) == first


def test_records_out_of_order_or_without_their_model_are_refused() -> None:
    case = {"case": "a", "group": "a", "quality": 0.5, "disagreement": 0.1}
    plain = {
        "format": "minivess-suspects/1",
        "data": DIGEST,
        "predictor": "cross-fitted",
        "method": "m",
        "seed": 0,
        "cases": [case, {**case, "case": "b", "quality": 0.4}],
    }
    with pytest.raises(ValueError, match="order"):
        SuspectsRecord.model_validate(plain)
    right = {**plain, "cases": [{**case, "case": "b", "quality": 0.4}, case]}
    SuspectsRecord.model_validate(right)
    with pytest.raises(ValueError, match="model"):
        SuspectsRecord.model_validate({**right, "predictor": "model"})
    with pytest.raises(ValueError, match="twice"):
        SuspectsRecord.model_validate({**right, "cases": [case, case]})


def test_a_case_without_a_group_is_refused() -> None:
    case = VoxelCase("c", np.zeros((4, 4)), np.zeros((4, 4), np.uint8), (1.0, 1.0))
    with pytest.raises(UsageError, match="'c' has no group"):
        list(cross_fitted(lambda: [case], {}, classes=1, seed=0))
