"""The intended-use envelope: inside is inside whatever the unit; outside is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.inference.intended_use import derive_envelope, outside_reasons, signal_measures
from minivess.records.models.intended_use import IntendedUse
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
    pictures = derive_envelope([(flat, (1.0, 1.0))], "px")
    assert (pictures.unit, len(pictures.spacing[0]), len(pictures.shape[0])) == ("px", 2, 2)
    assert outside_reasons(pictures, flat, (1.0, 1.0), "px") == ()
    assert outside_reasons(pictures, flat, (1.0, 1.0)) == ("the spacing is in µm, and the bounds are in px",)
    assert outside_reasons(pictures, scan, (1.0, 1.0, 1.0), "px") == (
        "the image has 3 axes and 3 spacings, and the bounds have 2",
    )


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


def test_stronger_signal_measures_as_more_contrast() -> None:
    weak, strong = signal_measures(image(0, signal=5.0)), signal_measures(image(0, signal=40.0))
    assert weak.contrast_to_noise < strong.contrast_to_noise
    assert weak.bright_tail < strong.bright_tail


def test_an_envelope_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        derive_envelope([])
    with pytest.raises(InputError):
        derive_envelope([(np.zeros((4, 4, 4)), SPACING)])
