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


STACK = np.random.default_rng(4).integers(0, 9, (3, 37, 41)).astype(np.uint16)


@pytest.mark.verifies("REQ-284")
@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 8, "predictor": True}, {"tile": (16, 16)}, {"byteorder": ">"}]
)
def test_tiff_with_zstandard_is_read(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "v.tif", STACK, photometric="minisblack", compression="zstd", **options)
    assert np.array_equal(read_image(tmp_path / "v.tif").array, STACK)


@pytest.mark.verifies("REQ-284")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "options", [{"compression": "zlib"}, {"compression": "zstd", "tile": (16, 32), "byteorder": ">"}]
)
def test_tiff_with_differences_of_real_numbers_is_read(tmp_path: Path, dtype: Any, options: dict[str, Any]) -> None:
    array = (STACK[:2] * np.float64(0.37) - 1.5).astype(dtype)
    tifffile.imwrite(tmp_path / "v.tif", array, photometric="minisblack", predictor=3, **options)
    found = read_image(tmp_path / "v.tif").array
    assert found.dtype == dtype
    assert np.array_equal(found, array)
    colour = np.stack([array[0]] * 3, axis=-1)
    tifffile.imwrite(tmp_path / "c.tif", colour, photometric="rgb", predictor=3, **options)
    assert np.array_equal(read_image(tmp_path / "c.tif").array, colour)


SMOOTH = (np.add.outer(np.arange(40), np.arange(50))[..., None] + np.array([0, 60, 120])).astype(np.uint8)


@pytest.mark.verifies("REQ-284")
@pytest.mark.parametrize(
    ("array", "options"),
    [
        (SMOOTH, {"photometric": "ycbcr", "subsampling": (2, 2), "tile": (32, 32)}),
        (SMOOTH, {"photometric": "ycbcr", "subsampling": (1, 1), "rowsperstrip": 16}),
        (SMOOTH, {"photometric": "rgb"}),
        (SMOOTH[..., 0], {"photometric": "minisblack"}),
    ],
)
def test_tiff_with_jpeg_is_read_and_is_lossy(tmp_path: Path, array: np.ndarray, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "v.tif", array, compression="jpeg", compressionargs={"level": 95}, **options)
    volume = read_image(tmp_path / "v.tif")
    assert np.array_equal(volume.array, tifffile.imread(tmp_path / "v.tif"))
    if options["photometric"] != "ycbcr":  # tifffile takes the values of such a page as luminance and chrominance
        assert np.abs(volume.array.astype(int) - array).max() < 8
    assert volume.lossy
    assert [doubt.rule for doubt in volume.doubts] == ["source-lossy"]


@pytest.mark.verifies("REQ-284")
def test_tiff_with_tables_in_a_tag_is_read(tmp_path: Path) -> None:
    image = Image.fromarray(SMOOTH)
    image.save(tmp_path / "v.tif", compression="jpeg", quality=90)  # libtiff writes JPEGTables
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        assert "JPEGTables" in file.pages[0].tags
    assert np.abs(read_image(tmp_path / "v.tif").array.astype(int) - SMOOTH).max() < 16


@pytest.mark.verifies("REQ-281", "RC-128")
def test_a_jpeg_of_another_size_than_its_strip_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", SMOOTH[..., 0], photometric="minisblack", compression="jpeg")
    data = bytearray((tmp_path / "v.tif").read_bytes())
    start = data.index(b"\xff\xc0")
    data[start + 8] -= 1  # columns of the frame header
    (tmp_path / "v.tif").write_bytes(bytes(data))
    with pytest.raises(InputError, match="a JPEG of 40 x 49 pixels") as caught:
        read_image(tmp_path / "v.tif")
    assert caught.value.rule == "pages-missing"


@pytest.mark.verifies("REQ-078", "RC-10")
def test_an_empty_plane_packs_well_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((1400, 1000), np.uint8), photometric="minisblack", compression="zstd")
    assert not read_image(tmp_path / "v.tif").array.any()
    tifffile.imwrite(tmp_path / "v.tif", STACK[0], photometric="minisblack", compression="zstd")
    data = bytearray((tmp_path / "v.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        data[file.pages[0].dataoffsets[0]] ^= 255
    (tmp_path / "v.tif").write_bytes(bytes(data))
    with pytest.raises(InputError, match="page 1 cannot be decoded as zstd"):
        read_image(tmp_path / "v.tif")
