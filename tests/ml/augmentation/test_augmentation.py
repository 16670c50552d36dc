"""Every augmentation changes image and mask alike, keeps the shape, and draws by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.augmentation.patches import Augmentation
from minivess.ml.augmentation.registry import AUGMENTATIONS
from minivess.ml.training.case_store import TrainingCase
from minivess.ml.training.patches import PatchSampler

pytestmark = pytest.mark.verifies("SU-31")

rows = pytest.mark.parametrize("change", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


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


def test_a_sampler_applies_the_named_augmentations_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.zeros((8, 8, 8), np.uint8)
    label[0, 0, 0] = 1
    cases = [TrainingCase(label * 5.0, label)]
    _, plain = PatchSampler(cases, (8, 8, 8), seed=0, augmentations=()).batch(8)
    assert (plain[:, 0, 0, 0, 0] == 1).all()
    monkeypatch.setitem(AUGMENTATIONS, "negative", lambda rng, patches: (patches[0], 1 - patches[1]))
    _, negative = PatchSampler(cases, (8, 8, 8), seed=0, augmentations=["negative"]).batch(8)
    np.testing.assert_array_equal(negative, 1 - plain)
    with pytest.raises(UsageError, match="no augmentation 'flip'") as caught:
        PatchSampler(cases, (8, 8, 8), seed=0, augmentations=["flip"])
    assert caught.value.hint == "did you mean `flips`?"
