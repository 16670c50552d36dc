"""Forms of DICOM and TIFF files that are decoded without further libraries."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_image
from minivess.ml.reading.volume import Limits
from tests.support.builders import specimens

pytestmark = [pytest.mark.verifies("SU-25"), pytest.mark.verifies("REQ-283")]

GREY = specimens.GREY[0]
INDEX = (GREY % 4).astype(np.uint8)
BITS = np.random.default_rng(3).integers(0, 2, (11, 21)).astype(np.uint8)


def written(path: Path, dataset: Any) -> Path:
    path.write_bytes(specimens.dicom_bytes(dataset))
    return path


def test_values_that_count_from_white_are_turned_round(tmp_path: Path) -> None:
    dataset = specimens.slice_of(0.0, PhotometricInterpretation="MONOCHROME1")
    volume = read_image(written(tmp_path / "v.dcm", dataset))
    assert np.array_equal(volume.array, 65535 - GREY)
    assert any("white" in note for note in volume.notes)
    dataset.RescaleSlope = 2
    with pytest.raises(InputError, match="MONOCHROME1 with rescaled"):
        read_image(written(tmp_path / "v.dcm", dataset))


def test_a_palette_of_dicom_becomes_colours(tmp_path: Path) -> None:
    dataset = specimens.slice_of(0.0, INDEX, PhotometricInterpretation="PALETTE COLOR")
    for name, values in (("Red", [0, 255, 0, 9]), ("Green", [0, 0, 255, 9]), ("Blue", [0, 1, 2, 3])):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 8])
        setattr(dataset, f"{name}PaletteColorLookupTableData", bytes(values))
    volume = read_image(written(tmp_path / "v.dcm", dataset))
    assert volume.axes == "yxc"
    assert volume.array[INDEX == 1].tolist()[0] == [255, 0, 1]
    assert volume.array[INDEX == 3].tolist()[0] == [9, 9, 3]


def deflated() -> bytes:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    dataset = specimens.slice_of(0.0)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return specimens.dicom_bytes(dataset)


def test_a_deflated_data_set_is_unpacked_within_the_limits(tmp_path: Path) -> None:
    content = deflated()
    (tmp_path / "v.dcm").write_bytes(content)
    assert np.array_equal(read_image(tmp_path / "v.dcm").array, GREY)
    (tmp_path / "v.dcm").write_bytes(content[:-40])
    with pytest.raises(InputError, match="no end within the limits"):
        read_image(tmp_path / "v.dcm")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = 132 + 12 + int.from_bytes(content[140:144], "little")
    bomb = content[:start] + packer.compress(bytes(8 << 20)) + packer.flush()
    (tmp_path / "v.dcm").write_bytes(bomb)
    with pytest.raises(InputError, match="no end within the limits"):
        read_image(tmp_path / "v.dcm", limits=Limits(ratio=10))


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_of_one_bit_is_read(tmp_path: Path, compression: str) -> None:
    Image.fromarray(BITS.astype(bool)).save(tmp_path / "v.tif", compression=compression)
    found = read_image(tmp_path / "v.tif").array
    assert found.dtype == np.uint8
    assert np.array_equal(found, BITS)


def test_tiff_of_one_bit_that_counts_from_white_is_turned_round(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", BITS == 0, photometric="miniswhite")
    assert np.array_equal(read_image(tmp_path / "v.tif").array, BITS)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "rowsperstrip": 4}, {"tile": (16, 16)}])
def test_tiff_with_a_plane_for_each_colour_is_read(tmp_path: Path, options: dict[str, Any]) -> None:
    planes = np.moveaxis(specimens.COLOUR, -1, 0)
    tifffile.imwrite(tmp_path / "v.tif", planes, photometric="rgb", planarconfig="separate", **options)
    volume = read_image(tmp_path / "v.tif")
    assert volume.axes == "yxc"
    assert np.array_equal(volume.array, specimens.COLOUR)


def test_tiff_that_counts_from_white_is_turned_round(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", INDEX, photometric="miniswhite")
    volume = read_image(tmp_path / "v.tif")
    assert np.array_equal(volume.array, 255 - INDEX)
    assert any("white" in note for note in volume.notes)
