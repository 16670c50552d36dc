"""Every augmentation changes image and mask alike, keeps the shape, and draws by the generator alone."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import UsageError
from minivess.ml.augmentation.patches import Augmentation
from minivess.ml.augmentation.registry import AUGMENTATIONS
from minivess.ml.training.patches import PatchSampler

pytestmark = pytest.mark.verifies("SU-31")

rows = pytest.mark.parametrize("change", AUGMENTATIONS.values(), ids=AUGMENTATIONS)


@rows
@pytest.mark.parametrize("shape", [(4, 6, 6), (4, 6, 5)])
def test_image_and_mask_are_changed_alike(change: Augmentation, shape: tuple[int, int, int]) -> None:
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rng = np.random.default_rng(0)
    answers = [change(rng, (image, image + 1)) for _ in range(20)]
    for changed, label in answers:
        assert changed.shape == label.shape == shape
        np.testing.assert_array_equal(changed + 1, label)
        assert sorted(changed.ravel()) == sorted(image.ravel())
    assert len({changed.tobytes() for changed, _ in answers}) > 1, "it never changed anything"


@rows
def test_the_same_generator_draws_the_same_change(change: Augmentation) -> None:
    image = np.random.default_rng(1).random((4, 6, 6)).astype(np.float32)
    one, two = (change(np.random.default_rng(5), (image, image))[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_sampler_applies_the_named_augmentations_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    label = np.zeros((8, 8, 8), np.uint8)
    label[0, 0, 0] = 1
    cases = [(label * 5.0, label)]
    _, plain = PatchSampler(cases, (8, 8, 8), seed=0, augmentations=()).batch(8)
    assert (plain[:, 0, 0, 0, 0] == 1).all()
    monkeypatch.setitem(AUGMENTATIONS, "negative", lambda rng, patches: (patches[0], -patches[1]))
    _, negative = PatchSampler(cases, (8, 8, 8), seed=0, augmentations=["negative"]).batch(8)
    np.testing.assert_array_equal(negative, -plain)
    with pytest.raises(UsageError, match="no augmentation 'flip'") as caught:
        PatchSampler(cases, (8, 8, 8), seed=0, augmentations=["flip"])
    assert caught.value.hint == "did you mean `flips`?"
