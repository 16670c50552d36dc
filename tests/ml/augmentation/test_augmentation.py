"""Every augmentation changes image and mask alike, keeps the shape, and draws by the generator alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import RefusedError
from minivess.ml.augmentation.patches import Augmentation, Patches
from minivess.ml.augmentation.registry import NamedChange, augmenter_of
from minivess.ml.sampling.case_store import TrainingCase
from minivess.ml.sampling.patches import PatchSource
from minivess.records.models import training
from tests.support.patch_sources import FLIPS, source_of

pytestmark = pytest.mark.verifies("SU-31")

rows = pytest.mark.parametrize("change", FLIPS)


@rows
@pytest.mark.parametrize("shape", [(4, 6, 6), (4, 6, 5), (9, 9), (7, 9)])
def test_image_and_mask_are_changed_alike(change: Augmentation, shape: tuple[int, ...]) -> None:
    label = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    image = np.stack([label + 1.0, 7.0 * label]).astype(np.float32)
    rng = np.random.default_rng(0)
    answers = [change(rng, (image, label)) for _ in range(20)]
    for changed, mask in answers:
        assert changed.shape == (2, *shape)
        np.testing.assert_array_equal(changed[0], mask + 1.0)
        np.testing.assert_array_equal(changed[1], 7.0 * mask)
        assert sorted(mask.ravel()) == sorted(label.ravel())
    assert len({changed.tobytes() for changed, _ in answers}) > 1, "it never changed anything"


@rows
def test_the_same_generator_draws_the_same_change(change: Augmentation) -> None:
    image = np.random.default_rng(1).random((1, 4, 6, 6)).astype(np.float32)
    label = (image[0] > 0.5).astype(np.uint8)
    one, two = (change(np.random.default_rng(5), (image, label))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_source_applies_its_augmentations_and_no_others(tmp_path: Path) -> None:
    label = np.zeros((8, 8, 8), np.uint8)
    label[0, 0, 0] = 1
    cases = [TrainingCase(label * 5.0, label)]
    _, plain = source_of(cases, (8, 8, 8), tmp_path, augmentation=()).batch(1, 0, 8)
    assert (plain[:, 0, 0, 0, 0] == 1).all()
    inverted = source_of(cases, (8, 8, 8), tmp_path, augmentation=[lambda rng, patches: (patches[0], 1 - patches[1])])
    np.testing.assert_array_equal(inverted.batch(1, 0, 8)[1], 1 - plain)


def test_a_change_that_fails_is_named_with_its_step_and_case(tmp_path: Path) -> None:
    def broken(rng: np.random.Generator, patches: Patches) -> Patches:
        raise ValueError("no such range")

    label = np.ones((8, 8, 8), np.uint8)
    store = source_of([TrainingCase(label * 5.0, label, name="liver-3")], (8, 8, 8), tmp_path).store
    plain = augmenter_of(training.Augmentation(strength="none"), (8, 8, 8))
    source = PatchSource(store, seed=0, augmentation=replace(plain, changes=(NamedChange("noise", broken),)))
    with pytest.raises(RefusedError, match="step 7, case liver-3: noise: ValueError: no such range"):
        source.batch(7, 0, 1)
