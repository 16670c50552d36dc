"""The intended-use envelope: inside is inside whatever the unit; outside is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.inference.intended_use import derive_envelope, outside_reasons, signal_measures
from minivess.records.models.intended_use import IntendedUse
from minivess.records.models.task import SegmentationTask
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-30")

SPACING = (5.0, 1.0, 1.0)


def image(seed: int, *, signal: float = 20.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    volume = rng.normal(10.0, 1.0, (8, 24, 24))
    volume[:, 10:12, :] += signal
    return volume


@pytest.fixture(scope="module")
def envelope() -> IntendedUse:
    return derive_envelope((image(seed), SPACING) for seed in range(3))


@pytest.mark.verifies("RC-12")
def test_what_it_was_made_from_lies_inside(envelope: IntendedUse) -> None:
    assert all(outside_reasons(envelope, image(seed), SPACING) == () for seed in range(3))


@pytest.mark.verifies("RC-12")
@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_the_intensity_unit_does_not_matter(factor: float, shift: float) -> None:
    envelope = derive_envelope([(image(0), SPACING)])
    assert outside_reasons(envelope, image(1) * factor + shift, SPACING) == ()


@pytest.mark.verifies("RC-12", "REQ-029")
def test_every_bound_is_named_when_it_is_crossed(envelope: IntendedUse) -> None:
    good = image(5)
    assert "spacing 20 µm along z" in outside_reasons(envelope, good, (20.0, 1.0, 1.0))[0]
    assert len(outside_reasons(envelope, good, (20.0, 3.0, 0.1))) == 3
    assert "size 3 voxels along x" in outside_reasons(envelope, good[:, :, :3], SPACING)[0]
    assert any("contrast-to-noise" in one for one in outside_reasons(envelope, image(5, signal=1.0), SPACING))
    assert any("above the median" in one for one in outside_reasons(envelope, -good, SPACING))
    assert "no contrast" in outside_reasons(envelope, np.ones_like(good), SPACING)[0]
    assert "finite" in outside_reasons(envelope, np.where(good > 29, np.nan, good), SPACING)[0]


@pytest.mark.verifies("REQ-323")
def test_bounds_are_in_the_unit_of_the_cases() -> None:
    scan, flat = image(0), image(0)[0]
    in_mm = derive_envelope([(scan, (1000.0, 500.0, 500.0))])
    assert "spacing 2 mm along z is outside 0.9 to 1.1 mm" in outside_reasons(in_mm, scan, (2000.0, 500.0, 500.0))
    pictures = derive_envelope([(flat, (1.0, 1.0))], "px", SegmentationTask(axes="yx"))
    assert (pictures.unit, len(pictures.spacing[0]), len(pictures.shape[0])) == ("px", 2, 2)
    assert outside_reasons(pictures, flat, (1.0, 1.0), "px") == ()
    assert "without a physical size" in outside_reasons(pictures, flat, (1.0, 1.0))[0]
    assert "(y, x) are needed" in outside_reasons(pictures, scan, (1.0, 1.0, 1.0), "px")[0]


@pytest.mark.verifies("REQ-325")
def test_bounds_of_before_are_read_in_micrometres(envelope: IntendedUse) -> None:
    plain = envelope.model_dump(mode="json")
    plain["spacing_um"] = plain.pop("spacing")
    with pytest.raises(ValidationError, match="spacing_um"):
        IntendedUse.model_validate(plain)
    del plain["unit"]
    assert IntendedUse.model_validate_json(json.dumps(plain)) == envelope
    with pytest.raises(ValidationError, match="different numbers of axes"):
        IntendedUse.model_validate(plain | {"shape": [[1, 1], [2, 2]]})


COLOUR = SegmentationTask(axes="yx", channels=3)


def picture(seed: int, *, empty: bool = False) -> np.ndarray:
    """Three channels of a picture, each with its own bars; `empty`: the third has none."""
    planes = [np.roll(image(seed)[number], 4 * number, axis=0) for number in range(3)]
    return np.stack([*planes[:2], np.zeros_like(planes[2]) if empty else planes[2]], axis=-1)


@pytest.mark.verifies("REQ-349")
def test_each_channel_has_its_own_bounds() -> None:
    envelope = derive_envelope(((picture(seed), (1.0, 1.0)) for seed in range(3)), "px", COLOUR)
    assert (envelope.axes, envelope.channels) == ("yx", 3)
    good = picture(5)
    assert outside_reasons(envelope, good, (1.0, 1.0), "px") == ()
    inverted = good * np.array([1, 1, -1])
    assert {one.split(":")[0] for one in outside_reasons(envelope, inverted, (1.0, 1.0), "px")} == {"channel 3"}
    assert "3 channels are needed" in outside_reasons(envelope, good[..., 0], (1.0, 1.0), "px")[0]
    assert "3 channels are needed" in outside_reasons(envelope, np.moveaxis(good, -1, 0), (1.0, 1.0), "px")[0]
    assert outside_reasons(envelope, good, (1.0, 1.0, 1.0), "px") == ("3 spacings where 2 are needed",)
    assert "without a physical size" in outside_reasons(envelope, good, (1.0, 1.0))[0]


@pytest.mark.verifies("REQ-349", "RC-144")
@settings(max_examples=15, deadline=None)
@given(st.permutations([0, 1, 2]), st.floats(0.01, 100), st.floats(-100, 100))
def test_a_copy_of_a_channel_is_found_whatever_its_gain_and_offset(
    places: list[int], factor: float, shift: float
) -> None:
    envelope = derive_envelope([(picture(0), (1.0, 1.0))], "px", COLOUR)
    copied = picture(1)
    copied[..., places[0]] = factor * copied[..., places[1]] + shift
    assert any("is like another channel" in one for one in outside_reasons(envelope, copied, (1.0, 1.0), "px"))


@pytest.mark.verifies("REQ-349")
def test_an_empty_channel_is_taken_where_the_cases_had_it() -> None:
    envelope = derive_envelope(((picture(seed, empty=True), (1.0, 1.0)) for seed in range(3)), "px", COLOUR)
    assert outside_reasons(envelope, picture(5, empty=True), (1.0, 1.0), "px") == ()
    assert "channel 3" in outside_reasons(envelope, picture(5), (1.0, 1.0), "px")[0]
    with pytest.raises(InputError, match="no contrast"):
        derive_envelope([(np.zeros((8, 8, 3)), (1.0, 1.0))], "px", COLOUR)


def test_bounds_of_one_channel_are_written_as_before(envelope: IntendedUse) -> None:
    assert "further_channels" not in envelope.model_dump()
    assert IntendedUse.model_validate_json(envelope.model_dump_json()) == envelope


def test_stronger_signal_measures_as_more_contrast() -> None:
    weak, strong = signal_measures(image(0, signal=5.0)), signal_measures(image(0, signal=40.0))
    assert weak.contrast_to_noise < strong.contrast_to_noise
    assert weak.bright_tail < strong.bright_tail


def test_an_envelope_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        derive_envelope([])
    with pytest.raises(InputError):
        derive_envelope([(np.zeros((4, 4, 4)), SPACING)])
