"""One image from bytes: its format follows from its first bytes, and nothing stays on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minivess.foundation.errors import InputError
from minivess.ml.reading import single_image
from minivess.ml.reading.single_image import read_single, suffix_of
from minivess.ml.reading.volume import Limits
from tests.support.builders import image_files
from tests.support.properties import given
from tests.support.properties import strategies as st

pytestmark = pytest.mark.verifies("SU-25")

IMAGE = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
MILLIMETRES = (2.0, 0.5, 0.25)


@pytest.mark.verifies("REQ-426")
@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (image_files.nifti(IMAGE, MILLIMETRES), ".nii.gz"),
        (image_files.tiff(IMAGE), ".tif"),
        (image_files.nrrd(IMAGE, (2.0, 0.5, 0.25)), ".nrrd"),
        (image_files.series(IMAGE, MILLIMETRES)["000.dcm"], ".dcm"),
        (image_files.zipped({"a": b"b"}), ".zip"),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"%PDF-1.7", None),
        (b"\x1f\x8b\x08damaged", None),
        (b"", None),
    ],
)
def test_the_format_follows_from_the_first_bytes(data: bytes, suffix: str | None) -> None:
    assert suffix_of(data) == suffix


@pytest.mark.verifies("REQ-426", "RC-171")
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"II*\x00", b"NRRD0004\n", b"\x89PNG\r\n\x1a\n"]))
def test_any_bytes_are_an_image_or_one_error(data: bytes, start: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_single(start + data)
    assert "minivess-" not in caught.value.message


@pytest.mark.verifies("REQ-427")
def test_names_in_an_archive_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_image, "SHARED_MEMORY", tmp_path)
    files = image_files.series(IMAGE, MILLIMETRES)
    renamed = {f"Jane Doe/{'x' * 200}{name}": data for name, data in files.items()}
    read = read_single(image_files.zipped(renamed))
    assert np.array_equal(read.array, IMAGE)
    assert read.spacing == pytest.approx((2000.0, 500.0, 250.0))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="truncated") as caught:
        read_single(
            image_files.zipped({f"Jane{n}": files[n] for n in ("000.dcm", "002.dcm")} | {"Doe": files["001.dcm"][:-9]})
        )
    assert "Jane" not in caught.value.message


@pytest.mark.verifies("REQ-427")
def test_limits_hold_inside_an_archive() -> None:
    packed = image_files.zipped(image_files.series(IMAGE, MILLIMETRES))
    for limits in (Limits(voxels=50), Limits(pages=2), Limits(file_bytes=2000)):
        with pytest.raises(InputError):
            read_single(packed, limits=limits)
