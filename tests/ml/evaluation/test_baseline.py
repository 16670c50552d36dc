"""The tuned threshold is the best one there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.evaluation.baseline import threshold_masks, tune_thresholds
from minivess.ml.measures.dice import dice
from minivess.ml.preprocessing.normalisation import normalise
from minivess.records.data.dataset import LabelClass
from minivess.records.evaluation.evaluation import IntensityThreshold
from minivess.records.models.task import SegmentationTask

pytestmark = pytest.mark.verifies("SU-33")


@pytest.mark.verifies("REQ-025")
def test_no_other_threshold_does_better(vessels: Callable[[int], tuple[np.ndarray, np.ndarray]]) -> None:
    cases = [vessels(seed) for seed in (1, 2, 3)]
    (best,) = tune_thresholds(cases)
    reached = np.mean([dice(threshold_masks(image, [best])[0], mask) for image, mask in cases])
    for other in np.linspace(-2, 6, 60):
        rival = np.mean([dice(normalise(image) >= other, mask) for image, mask in cases])
        assert rival <= reached + 2e-3


@pytest.mark.verifies("REQ-025")
def test_the_threshold_does_not_depend_on_the_intensity_unit(
    vessels: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> None:
    image, mask = vessels(5)
    (threshold,) = tune_thresholds([(image, mask)])
    (again,) = tune_thresholds([(image * 37 + 1000, mask)])
    assert dice(threshold_masks(image, [again])[0], mask) == pytest.approx(
        dice(threshold_masks(image, [threshold])[0], mask), abs=2e-3
    )


def test_nothing_to_tune_on_is_refused() -> None:
    with pytest.raises(UsageError):
        tune_thresholds([])
    with pytest.raises(InputError, match="contrast"):
        tune_thresholds([(np.ones((4, 4, 4)), np.ones((4, 4, 4)))])
    with pytest.raises(InputError, match="shape"):
        tune_thresholds([(np.arange(64.0).reshape(4, 4, 4), np.ones((4, 4, 5)))])


@pytest.mark.verifies("REQ-340")
def test_no_channel_and_no_side_does_better_for_any_class() -> None:
    task = SegmentationTask(
        axes="yx", channels=2, classes=(LabelClass(value=2, name="cup"), LabelClass(value=5, name="disc"))
    )
    for seed in range(6):
        rng = np.random.default_rng(seed)
        cases = [(rng.normal(size=(9, 9, 2)), rng.choice([0, 2, 5], size=(9, 9)).astype(np.uint8)) for _ in range(2)]
        for one, value in zip(tune_thresholds(cases, None, task), (2, 5), strict=True):
            reached = np.mean([dice(threshold_masks(image, [one], task)[0], mask == value) for image, mask in cases])
            for channel, bright, limit in itertools.product((0, 1), (True, False), np.linspace(-2.5, 2.5, 26)):
                other = IntensityThreshold(threshold=limit, channel=channel, bright=bright)
                rival = np.mean(
                    [dice(threshold_masks(image, [other], task)[0], mask == value) for image, mask in cases]
                )
                assert rival <= reached + 1e-9


@pytest.mark.verifies("REQ-340")
def test_a_bright_class_in_volumes_has_the_threshold_of_before(
    vessels: Callable[[int], tuple[np.ndarray, np.ndarray]],
) -> None:
    """As version 0.1.0 tuned it: the first of 1,024 evenly spaced intensities with the best mean Dice."""
    cases = [vessels(seed) for seed in (1, 2)]
    images = [normalise(image) for image, _ in cases]
    ends = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
    candidates = np.linspace(*ends, 1024, dtype=np.float32)
    scores = [
        sum(dice(image >= candidate, mask) / 2 for image, (_, mask) in zip(images, cases, strict=True))
        for candidate in candidates[::16]
    ]
    (found,) = tune_thresholds(cases)
    assert (found.channel, found.bright) == (0, True)
    assert np.float32(found.threshold) in candidates
    mine = sum(
        dice(image >= np.float32(found.threshold), mask) / 2 for image, (_, mask) in zip(images, cases, strict=True)
    )
    assert mine >= max(scores)
