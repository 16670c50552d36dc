"""Reading `.npy` bytes: what NumPy wrote comes back, anything else is one InputError."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis.extra.numpy import array_shapes, arrays

from minivess.foundation.errors import InputError
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask
from minivess.serving.inference.volumes import Limits, parse_npy, parse_spacing
from tests.support.properties import given, settings
from tests.support.properties import strategies as st
from tests.support.servers.served import npy

pytestmark = pytest.mark.verifies("SU-43")

LIMITS = Limits(body_bytes=1 << 20, voxels=10_000)
GOOD = npy(np.arange(24, dtype="<f4").reshape(2, 3, 4))


@pytest.mark.verifies("REQ-029")
@given(
    arrays(
        st.sampled_from(["u1", "<i2", ">u2", "<f4", ">f4", "<f8", "<f2"]),
        array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.integers(0, 100),
    ),
    st.booleans(),
)
def test_what_numpy_wrote_is_read(array: np.ndarray, fortran: bool) -> None:
    volume = parse_npy(npy(np.asfortranarray(array) if fortran else array), LIMITS, ONE_CLASS_OF_VOLUMES)
    assert volume.dtype == np.float32
    assert np.array_equal(volume, array.astype(np.float32))


@pytest.mark.verifies("REQ-029", "RC-10")
@settings(max_examples=300)
@given(st.integers(0, 127), st.integers(0, 255))
def test_a_changed_header_byte_gives_a_volume_or_one_clear_refusal(place: int, value: int) -> None:
    data = bytearray(GOOD)
    data[place] = value
    try:
        volume = parse_npy(bytes(data), LIMITS, ONE_CLASS_OF_VOLUMES)
    except InputError as error:
        refusal: InputError | None = error
    else:
        refusal = None
        assert volume.ndim == 3
    assert refusal is None or refusal.hint


@pytest.mark.verifies("RC-10")
def test_a_header_that_promises_too_much_is_refused_before_memory_is_taken() -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
    )
    with pytest.raises(InputError, match="more voxels"):
        parse_npy(stream.getvalue(), LIMITS, ONE_CLASS_OF_VOLUMES)


@given(st.text(max_size=30))
def test_a_spacing_is_three_positive_numbers_or_refused(text: str) -> None:
    try:
        spacing = parse_spacing(text, ONE_CLASS_OF_VOLUMES, former=True)
    except InputError as error:
        refusal: InputError | None = error
    else:
        refusal = None
        assert all(step > 0 for step in spacing)
    assert refusal is None or refusal.hint


@pytest.mark.verifies("REQ-348")
@given(
    st.sampled_from([(4, 5), (4, 5, 3), (3, 4, 5), (3, 4, 5, 2), (4,), (2, 3, 4, 5, 6)]),
    st.sampled_from(["zyx", "yx"]),
    st.integers(1, 4),
)
def test_axes_and_channels_are_those_of_the_model_or_refused(shape: tuple[int, ...], axes: str, channels: int) -> None:
    task = SegmentationTask.model_validate({"axes": axes, "channels": channels})
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    if len(shape) == len(axes) + (channels > 1) and (channels == 1 or shape[-1] == channels):
        assert np.array_equal(parse_npy(npy(array), LIMITS, task), array)
    else:
        with pytest.raises(InputError, match=r"the model takes \((z, )?y, x"):
            parse_npy(npy(array), LIMITS, task)


@pytest.mark.verifies("REQ-348")
def test_a_spacing_has_a_unit_and_one_length_for_each_axis() -> None:
    picture = SegmentationTask(axes="yx")
    assert parse_spacing("0.8 x 0.7 mm", picture) == (800.0, 700.0)
    assert parse_spacing("5 × 1 × 1 µm", ONE_CLASS_OF_VOLUMES) == (5.0, 1.0, 1.0)
    for text in ("5,1,1", "5 x 1 µm", "5 x 1 x 1", "5 x 1 x 1 px", "2000 x 1 x 1 mm", "0 x 1 x 1 µm"):
        with pytest.raises(InputError, match="`spacing` is not three lengths with their unit"):
            parse_spacing(text, ONE_CLASS_OF_VOLUMES)


@pytest.mark.verifies("REQ-322")
@pytest.mark.parametrize("text", ["5 x 1.5 x 0.5 µm", "0.005 x 0.0015 x 0.0005 mm", "5 um × 0.0015 mm × 0.5 µm"])
def test_a_spacing_is_read_in_order_and_in_micrometres(text: str) -> None:
    assert parse_spacing(text, ONE_CLASS_OF_VOLUMES) == (5.0, 1.5, 0.5)
    with pytest.raises(InputError, match="`spacing_um` is not three positive numbers"):
        parse_spacing(text, ONE_CLASS_OF_VOLUMES, former=True)


@pytest.mark.verifies("REQ-322", "REQ-325")
def test_a_spacing_of_version_0_1_0_is_in_micrometres() -> None:
    assert parse_spacing("5, 1.5,0.5", ONE_CLASS_OF_VOLUMES, former=True) == (5.0, 1.5, 0.5)
    with pytest.raises(InputError, match="`spacing` is not three lengths with their unit"):
        parse_spacing("5, 1.5,0.5", ONE_CLASS_OF_VOLUMES)
    for text in ("5 um,1,1", "2,1", "0,1,1", "1e6,1,1", "-1,1,1"):
        with pytest.raises(InputError):
            parse_spacing(text, ONE_CLASS_OF_VOLUMES, former=True)
