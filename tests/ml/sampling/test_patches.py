"""Patch sampling: shapes, foreground, alignment of image and mask, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.sampling.case_store import TrainingCase, cases_digest
from minivess.records.data.dataset import LabelClass, SpatialAxes
from minivess.records.models.task import SegmentationTask
from tests.support.patch_sources import source_of

pytestmark = pytest.mark.verifies("SU-31")


def _case(shape: tuple[int, int, int] = (10, 20, 20), *, seed: int = 0, share: float = 0.01) -> TrainingCase:
    label = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    return TrainingCase(label.astype(np.float32) * 10, label)


@pytest.mark.parametrize("patch", [(8, 16, 16), (8, 12, 16), (16, 32, 32)])
def test_masks_follow_their_images_through_flips_turns_and_padding(patch: tuple[int, int, int], tmp_path: Path) -> None:
    source = source_of([_case(share=0.1), _case(seed=1, share=0.1)], patch, tmp_path)
    for step in range(1, 11):
        images, labels = source.batch(step, 0, 3)
        assert images.shape == labels.shape == (3, 1, *patch)
        assert images.dtype == labels.dtype == np.float32
        assert set(np.unique(labels)) <= {0, 1}
        assert images[labels == 1].min() > images[labels == 0].max()


def test_most_patches_hold_foreground_even_where_it_is_rare(tmp_path: Path) -> None:
    label = np.zeros((16, 64, 64), np.uint8)
    label[3, 5, 7] = 1
    images = label + np.random.default_rng(0).random(label.shape)
    _, labels = source_of([TrainingCase(images, label)], (8, 8, 8), tmp_path).batch(1, 0, 200)
    assert 0.55 < np.mean(labels.reshape(200, -1).any(axis=1)) < 0.8


@pytest.mark.verifies("REQ-048")
def test_the_digest_of_cases_sees_values_types_shapes_and_order() -> None:
    one, two = _case(), _case(seed=1)
    digests = {
        cases_digest(cases)
        for cases in (
            [one, two],
            [two, one],
            [one],
            [TrainingCase(one[0].astype(np.float64), one[1]), two],
            [TrainingCase(one[0].reshape(20, 10, 20), one[1]), two],
        )
    }
    assert len(digests) == 5
    assert cases_digest([one, two]) == cases_digest([_case(), _case(seed=1)])


def test_unusable_cases_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        source_of([], (8, 8, 8), tmp_path)
    image, label, *_ = _case()
    with pytest.raises(InputError, match="shape"):
        source_of([TrainingCase(image, label[:-1])], (8, 8, 8), tmp_path)
    with pytest.raises(InputError, match="foreground"):
        source_of([TrainingCase(image, np.zeros_like(label))], (8, 8, 8), tmp_path)


@pytest.mark.verifies("REQ-336")
@pytest.mark.parametrize("axes", ["yx", "zyx"])
def test_classes_and_channels_stay_together_and_rare_classes_are_drawn_as_often(
    axes: SpatialAxes, tmp_path: Path
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
    source = source_of([TrainingCase(image, label)], patch, tmp_path, task=task)
    images, labels = source.batch(1, 0, 150)
    assert images.shape == (150, 2, *patch)
    assert labels.shape == (150, 1, *patch)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert 0.2 < np.mean([(one == 2).any() for one in labels]) < 0.55
    assert images[:, 0][labels[:, 0] > 0].min() > images[:, 0][labels[:, 0] == 0].max()
    np.testing.assert_allclose(images[:, 0], -images[:, 1], atol=1e-4)
