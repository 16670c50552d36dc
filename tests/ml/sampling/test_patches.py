"""Drawing of patches: shapes, foreground, alignment of image and mask, and nothing but seed, step and place."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import RefusedError
from minivess.ml.sampling.case_store import TrainingCase
from minivess.ml.sampling.patches import PatchSource
from minivess.records.data.dataset import LabelClass, SpatialAxes
from minivess.records.models.task import SegmentationTask
from tests.support.builders.training_cases import stored, training_case
from tests.support.patch_cutters import flipped, larger, naming_modules
from tests.support.patch_sources import source_of

pytestmark = pytest.mark.verifies("SU-31")


@pytest.mark.parametrize("patch", [(8, 16, 16), (8, 12, 16), (16, 32, 32)])
def test_masks_follow_their_images_through_flips_turns_and_padding(tmp_path: Path, patch: tuple[int, int, int]) -> None:
    cases = [training_case(share=0.1, seed=seed, name=str(seed)) for seed in (0, 1)]
    source = source_of(cases, patch, tmp_path)
    for step in range(10):
        images, labels = source.batch(step, 0, 3)
        assert images.shape == labels.shape == (3, 1, *patch)
        assert images.dtype == labels.dtype == np.float32
        assert set(np.unique(labels)) <= {0, 1}
        assert images[labels == 1].min() > images[labels == 0].max()


def test_most_patches_hold_foreground_even_where_it_is_rare(tmp_path: Path) -> None:
    label = np.zeros((16, 64, 64), np.uint8)
    label[3, 5, 7] = 1
    images = label + np.random.default_rng(0).random(label.shape)
    _, labels = PatchSource(stored([TrainingCase(images, label)], tmp_path), seed=0).batch(1, 0, 200)
    assert 0.55 < np.mean(labels.reshape(200, -1).any(axis=1)) < 0.8


@pytest.mark.verifies("REQ-336")
@pytest.mark.parametrize("axes", ["yx", "zyx"])
def test_classes_and_channels_stay_together_and_rare_classes_are_drawn_as_often(
    tmp_path: Path, axes: SpatialAxes
) -> None:
    task = SegmentationTask(
        channels=2, axes=axes, classes=(LabelClass(value=4, name="common"), LabelClass(value=9, name="rare"))
    )
    shape = (40, 60) if axes == "yx" else (12, 40, 40)
    label = np.full(shape, 4, np.uint8)
    label[..., : shape[-1] // 2] = 0
    label[(1,) * len(shape)] = 9
    image = np.stack([label, 255 - label], axis=-1).astype(np.float32)
    patch = (8,) * len(shape)
    store = stored([TrainingCase(image, label)], tmp_path, patch, task=task)
    assert store.voxels == (np.sum(label == 0), np.sum(label == 4), 1)
    images, labels = PatchSource(store, seed=0).batch(1, 0, 150)
    assert images.shape == (150, 2, *patch)
    assert labels.shape == (150, 1, *patch)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert 0.2 < np.mean([(one == 2).any() for one in labels]) < 0.55
    assert images[:, 0][labels[:, 0] > 0].min() > images[:, 0][labels[:, 0] == 0].max()
    np.testing.assert_allclose(images[:, 0], -images[:, 1], atol=1e-4)


@pytest.mark.verifies("REQ-048", "REQ-357")
def test_a_patch_is_a_function_of_seed_step_and_place_alone(tmp_path: Path) -> None:
    store = stored([training_case(seed=seed, share=0.1, name=str(seed)) for seed in range(3)], tmp_path)
    source = PatchSource(store, seed=3, augmentation=flipped)
    images, labels = source.batch(7, 0, 6)
    again = pickle.loads(pickle.dumps(PatchSource(store, seed=3, augmentation=flipped)))  # noqa: S301
    parts = [again.batch(7, first, size) for first, size in ((4, 2), (0, 1), (1, 3))]  # backwards and in other batches
    order = [4, 5, 0, 1, 2, 3]
    np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), images[order])
    np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), labels[order])
    for other in (source.batch(8, 0, 6), PatchSource(store, seed=4, augmentation=flipped).batch(7, 0, 6)):
        assert not np.array_equal(other[0], images)
    assert len({one.tobytes() for one in images}) == 6


@pytest.mark.verifies("REQ-357")
def test_the_cases_of_a_batch_are_named_without_drawing_it(tmp_path: Path) -> None:
    cases = [training_case(share=0.1, name=f"case {number}") for number in range(3)]
    for number, case in enumerate(cases):
        case.image[...] = np.linspace(0, 1 + number, case.image.size).reshape(case.image.shape) ** (1 + number)
    source = PatchSource(stored(cases, tmp_path, (10, 20, 20)), seed=0)  # a patch is the whole case
    images, _ = source.batch(5, 2, 12)
    whole = {name: source.store.arrays(number).image for number, name in enumerate(source.store.names)}
    named = source.cases_of(5, 2, 12)
    assert set(named) == set(source.store.names)
    for image, name in zip(images, named, strict=True):
        np.testing.assert_array_equal(image, whole[name])


def test_an_augmentation_that_fails_or_changes_the_shape_is_an_error_that_names_step_and_case(tmp_path: Path) -> None:
    store = stored([training_case(share=0.1, name="one")], tmp_path)
    with pytest.raises(RefusedError, match="augmentation failed: step 4, case one: ValueError"):
        PatchSource(store, seed=0, augmentation=naming_modules).batch(4, 0, 2)
    with pytest.raises(RefusedError, match="augmentation changed the shape of a patch: step 4, case one"):
        PatchSource(store, seed=0, augmentation=larger).batch(4, 0, 2)
