"""Preprocessing: channels, grids, statistics, the way back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.preprocessing.normalisation import (
    foreground_sample,
    foreground_statistics,
    normalise,
    normalise_by,
)
from minivess.ml.preprocessing.preprocessor import Preprocessor, fit_preprocessing
from minivess.ml.preprocessing.resampling import grid_of, resample, resample_labels
from minivess.records.models.preprocessing import ForegroundStatistics, Preprocessing, PreprocessingChoice
from minivess.records.models.task import SegmentationTask
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-97")

COLOUR = Preprocessing(channels=3, axes="yx")


@pytest.mark.verifies("REQ-335")
def test_by_default_a_grey_volume_is_normalised_on_its_own_grid() -> None:
    volume = np.random.default_rng(0).gamma(2, 3, (5, 7, 6))
    made = Preprocessor(Preprocessing()).apply(volume)
    np.testing.assert_array_equal(made, normalise(volume)[np.newaxis])


@pytest.mark.verifies("REQ-335")
def test_each_channel_of_a_colour_picture_is_kept_and_normalised_on_its_own() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (8, 9, 3)).astype(np.uint8)
    made = Preprocessor(COLOUR).apply(picture)
    assert made.shape == (3, 8, 9)
    for channel in range(3):
        np.testing.assert_array_equal(made[channel], normalise(picture[..., channel]))


@pytest.mark.parametrize(
    "image",
    [np.ones((8, 9)), np.ones((8, 9, 4)), np.ones((2, 8, 9, 3)), np.ones((8, 9, 1))],
    ids=["grey", "four channels", "a volume", "one channel"],
)
def test_an_image_with_other_axes_or_channels_is_refused(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="3 channels"):
        Preprocessor(COLOUR).apply(image)


@given(size=st.integers(1, 40), spacing=st.floats(0.1, 10, allow_subnormal=False), target=st.floats(0.1, 10))
def test_a_resampled_grid_covers_the_same_extent(size: int, spacing: float, target: float) -> None:
    (side,) = grid_of((size,), (spacing,), (target,))
    assert side >= 1
    assert abs(side * target - size * spacing) <= max(target / 2 + 1e-9, target - size * spacing)


def test_a_grid_of_absurd_size_is_refused() -> None:
    with pytest.raises(InputError, match="voxels at the spacing"):
        grid_of((512, 512, 512), (1000.0, 1000.0, 1000.0), (1.0, 1.0, 1.0))


@given(factor=st.sampled_from([2, 3, 4]), seed=st.integers(0, 20))
def test_labels_on_a_finer_grid_and_back_are_the_same(factor: int, seed: int) -> None:
    mask = np.random.default_rng(seed).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    finer = resample_labels(mask, tuple(factor * side for side in mask.shape))
    np.testing.assert_array_equal(finer, np.kron(mask, np.ones((factor,) * 3, np.uint8)))
    np.testing.assert_array_equal(resample_labels(finer[:], mask.shape), mask)


@given(shape=st.tuples(st.integers(2, 9), st.integers(2, 9)), new=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_linear_resampling_keeps_constants_and_makes_no_new_extremes(
    shape: tuple[int, int], new: tuple[int, int]
) -> None:
    values = np.random.default_rng(0).normal(0, 1, (2, *shape)).astype(np.float32)
    made = resample(values, new)
    assert made.shape == (2, *new)
    assert values.min() - 1e-6 <= made.min()
    assert made.max() <= values.max() + 1e-6
    np.testing.assert_allclose(resample(np.full((1, *shape), 2.5, np.float32), new), 2.5)


def test_a_ramp_stays_a_ramp_with_its_faces_in_place() -> None:
    """Voxel centres of 8 voxels over an extent of 8 are at 0.5 to 7.5; of 16 voxels at 0.25 to 7.75."""
    ramp = np.arange(0.5, 8)[np.newaxis].astype(np.float32)
    finer = resample(ramp, (16,))
    np.testing.assert_allclose(finer[0, 1:-1], np.arange(0.25, 8, 0.5)[1:-1], atol=1e-6)


@pytest.mark.verifies("REQ-335")
def test_an_answer_comes_back_on_the_grid_of_the_image() -> None:
    preprocessor = Preprocessor(Preprocessing(spacing=(2.0, 1.0, 1.0)))
    volume = np.random.default_rng(0).random((6, 10, 8))
    prepared = preprocessor.apply(volume, (1.0, 0.5, 2.0))
    assert prepared.shape == (1, 3, 5, 16)
    assert preprocessor.labels(np.zeros((6, 10, 8), np.uint8), (1.0, 0.5, 2.0)).shape == (3, 5, 16)
    restored = preprocessor.restore(np.repeat(prepared, 3, axis=0), preprocessor.grid(volume))
    assert restored.shape == (3, 6, 10, 8)


@pytest.mark.parametrize("spacing", [None, (1.0, 1.0), (0.0, 1.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_a_spacing_that_is_needed_and_not_known_is_refused(spacing: tuple[float, ...] | None) -> None:
    with pytest.raises(InputError):
        Preprocessor(Preprocessing(spacing=(1.0, 1.0, 1.0))).apply(np.ones((4, 4, 4)), spacing)


@pytest.mark.verifies("REQ-335")
def test_ct_is_scaled_by_the_foreground_of_the_training_part_and_other_images_by_themselves() -> None:
    rng = np.random.default_rng(0)
    mask = (rng.random((6, 20, 20)) < 0.3).astype(np.uint8)
    scan = np.where(mask, rng.normal(300, 40, mask.shape), rng.normal(-800, 100, mask.shape)).astype(np.float32)
    choice, task = PreprocessingChoice(), SegmentationTask()
    ct = fit_preprocessing(choice, task, [(scan, mask)], modality="CT")
    assert ct.foreground[0].mean == pytest.approx(300, abs=3)
    made = Preprocessor(ct).apply(scan)[0]
    assert made[mask == 1].mean() == pytest.approx(0, abs=0.05)
    np.testing.assert_array_equal(Preprocessor(ct).apply(scan + 50)[0] >= made, True)
    assert made.min() == pytest.approx((ct.foreground[0].lower - ct.foreground[0].mean) / ct.foreground[0].deviation)
    assert fit_preprocessing(choice, task, [], modality="two-photon microscopy").usual
    stated = PreprocessingChoice.model_validate({"spacing": "1 x 0.5 x 0.5 mm"})
    assert fit_preprocessing(stated, task, [], modality="MR").spacing == (1000.0, 500.0, 500.0)
    with pytest.raises(InputError, match="no training case has foreground"):
        fit_preprocessing(choice, task, [(scan, np.zeros_like(mask))], modality="CT")


def test_statistics_weigh_cases_alike_and_refuse_one_intensity() -> None:
    large, small = np.full((50, 50), 10.0), np.full((4, 4), 20.0)
    large[0], small[0] = 11.0, 21.0
    made = foreground_statistics([foreground_sample(one, np.ones_like(one)) for one in (large, small)])
    assert made.lower == 10
    with pytest.raises(InputError, match="one intensity"):
        foreground_statistics([np.ones(16)])
    with pytest.raises(InputError, match="NaN"):
        normalise_by(np.full((4, 4), np.nan), made)


@pytest.mark.verifies("REQ-335")
def test_the_digest_sees_every_field() -> None:
    statistics = ForegroundStatistics(lower=0, upper=2, mean=1, deviation=0.5)
    others = [
        Preprocessing(channels=2),
        Preprocessing(axes="yx"),
        Preprocessing(spacing=(1, 1, 1)),
        Preprocessing(foreground=(statistics,)),
        Preprocessing(foreground=(statistics.model_copy(update={"mean": 1.1}),)),
    ]
    assert len({one.digest for one in (Preprocessing(), *others)}) == 6
    with pytest.raises(ValueError, match="need 3 spacings"):
        Preprocessing(spacing=(1, 1))
    with pytest.raises(ValueError, match="as many statistics"):
        Preprocessing(channels=2, foreground=(statistics,))


def test_the_words_of_a_preprocessing_have_the_unit_that_people_read() -> None:
    assert Preprocessing(spacing=(1500.0, 1000.0, 1000.0)).words.startswith("resampled to 1.5 × 1 × 1 mm; ")
    assert Preprocessing(spacing=(2.0, 0.5, 0.5)).words.startswith("resampled to 2 × 0.5 × 0.5 µm; ")
    assert Preprocessing().words == "the image's own grid; intensities clipped and standardised by each image"
