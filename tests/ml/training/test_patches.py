"""Patch sampling: shapes, foreground, alignment of image and mask, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.training.patches import PatchSampler, TrainingCase, cases_digest

pytestmark = pytest.mark.verifies("SU-31")


def _case(shape: tuple[int, int, int] = (10, 20, 20), *, seed: int = 0, share: float = 0.01) -> TrainingCase:
    label = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    return label.astype(np.float32) * 10, label


@pytest.mark.parametrize("patch", [(8, 16, 16), (8, 12, 16), (16, 32, 32)])
def test_masks_follow_their_images_through_flips_turns_and_padding(patch: tuple[int, int, int]) -> None:
    sampler = PatchSampler([_case(share=0.1), _case(seed=1, share=0.1)], patch, seed=0)
    for _ in range(10):
        images, labels = sampler.batch(3)
        assert images.shape == labels.shape == (3, 1, *patch)
        assert images.dtype == labels.dtype == np.float32
        assert set(np.unique(labels)) <= {0, 1}
        assert images[labels == 1].min() > images[labels == 0].max()


def test_most_patches_hold_foreground_even_where_it_is_rare() -> None:
    label = np.zeros((16, 64, 64), np.uint8)
    label[3, 5, 7] = 1
    images = label + np.random.default_rng(0).random(label.shape)
    _, labels = PatchSampler([(images, label)], (8, 8, 8), seed=0).batch(200)
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
            [(one[0].astype(np.float64), one[1]), two],
            [(one[0].reshape(20, 10, 20), one[1]), two],
        )
    }
    assert len(digests) == 5
    assert cases_digest([one, two]) == cases_digest([_case(), _case(seed=1)])


def test_unusable_cases_are_refused() -> None:
    with pytest.raises(UsageError):
        PatchSampler([], (8, 8, 8), seed=0)
    image, label = _case()
    with pytest.raises(InputError, match="shape"):
        PatchSampler([(image, label[:-1])], (8, 8, 8), seed=0)
    with pytest.raises(InputError, match="foreground"):
        PatchSampler([(image, np.zeros_like(label))], (8, 8, 8), seed=0)
