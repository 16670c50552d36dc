"""Readers: every format to one shape of data, and every malformed file to one clear error."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import read_case, read_image
from minivess.ml.reading.formats.ome import read_ome
from minivess.ml.reading.masks import binarise
from minivess.ml.reading.volume import Limits
from minivess.records.data.source import CaseSource
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

pytestmark = pytest.mark.verifies("SU-25")

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 60000, (3, 5, 7)).astype(np.uint16)
OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" PhysicalSizeX="{x}" PhysicalSizeXUnit="{unit}" PhysicalSizeY="{x}" '
    'PhysicalSizeYUnit="{unit}" PhysicalSizeZ="{z}" PhysicalSizeZUnit="{unit}" SizeZ="3"></Pixels></Image></OME>'
)


def nifti(path: Path, array: np.ndarray, zooms=(1.0, 2.0, 3.0), unit: str = "micron") -> Path:
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([*zooms, 1.0]))
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def source(**changes) -> CaseSource:
    return CaseSource.model_validate({"id": "a", "subject": "s", "image": "i.nii", "label": "l.nii"} | changes)


@pytest.mark.verifies("REQ-011")
@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
@pytest.mark.parametrize(("unit", "factor"), [("micron", 1.0), ("mm", 1000.0), ("meter", 1e6)])
def test_nifti_becomes_zyx_with_spacing_in_micrometres(tmp_path: Path, name: str, unit: str, factor: float) -> None:
    volume = read_image(nifti(tmp_path / name, ARRAY, unit=unit))
    assert np.array_equal(volume.array, ARRAY)
    assert volume.dtype == "uint16"
    assert volume.spacing == pytest.approx((3 * factor, 2 * factor, factor))


@pytest.mark.verifies("REQ-011")
def test_nifti_of_unknown_unit_has_no_spacing_and_scaling_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(ARRAY.transpose(2, 1, 0).astype(np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "v.nii")
    volume = read_image(tmp_path / "v.nii")
    assert volume.spacing is None
    expected = nibabel.load(tmp_path / "v.nii").get_fdata().transpose(2, 1, 0)
    assert volume.array == pytest.approx(expected, rel=1e-6)


@pytest.mark.verifies("REQ-011")
@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 2}]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_tiff_stacks_read_back(tmp_path: Path, options: dict, dtype: str) -> None:
    array = (ARRAY % 251).astype(dtype)
    tifffile.imwrite(tmp_path / "v.tif", array, photometric="minisblack", **options)
    volume = read_image(tmp_path / "v.tif")
    assert np.array_equal(volume.array, array)
    assert volume.dtype == dtype
    assert volume.spacing is None


@pytest.mark.verifies("REQ-011")
def test_tiled_tiff_reads_back(tmp_path: Path) -> None:
    array = RNG.integers(0, 255, (2, 40, 50)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "v.tif", array, tile=(16, 32), compression="zlib", photometric="minisblack")
    assert np.array_equal(read_image(tmp_path / "v.tif").array, array)


@pytest.mark.verifies("REQ-011")
@pytest.mark.parametrize("method", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiff_written_by_libtiff_reads_back(tmp_path: Path, method: str, dtype: str) -> None:
    noise = RNG.integers(0, 200, (2, 90, 110)).astype(dtype)
    noise[0, :, :50] = 7
    first, *rest = (Image.fromarray(plane) for plane in noise)
    first.save(tmp_path / "v.tif", compression=method, save_all=True, append_images=rest)
    assert np.array_equal(read_image(tmp_path / "v.tif").array, noise)


@pytest.mark.verifies("REQ-011")
def test_ome_tiff_and_imagej_state_their_spacing(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 500.0, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", ARRAY, metadata={"axes": "ZYX", **sizes}, photometric="minisblack")
    assert read_image(tmp_path / "a.ome.tif").spacing == pytest.approx((2.0, 0.5, 0.5))
    tifffile.imwrite(
        tmp_path / "b.tif",
        ARRAY,
        imagej=True,
        resolution=(2.0, 4.0),
        metadata={"spacing": 3.0, "unit": "um", "axes": "ZYX"},
    )
    assert read_image(tmp_path / "b.tif").spacing == pytest.approx((3.0, 0.25, 0.5))


@pytest.mark.verifies("REQ-011")
@pytest.mark.parametrize(("unit", "factor"), [("µm", 1.0), ("nm", 1e-3), ("mm", 1e3)])
def test_ome_xml_spacing(tmp_path: Path, unit: str, factor: float) -> None:
    path = tmp_path / "m.xml"
    path.write_text(OME.format(x=0.994, z=5.0, unit=unit), encoding="utf-8")
    assert read_ome(path).spacing("ZYX", path) == pytest.approx((5 * factor, 0.994 * factor, 0.994 * factor))


@pytest.mark.verifies("REQ-011")
def test_ome_xml_that_is_cut_short_and_latin_1_still_answers(tmp_path: Path) -> None:
    path = tmp_path / "m.xml.txt"
    text = OME.format(x=0.994, z=5.0, unit="µm").split("</Pixels>", maxsplit=1)[0].split("?>", maxsplit=1)[1]
    path.write_bytes((text + '\r\n<Plane DeltaT="0.0"/>').encode("latin-1"))
    assert read_ome(path).spacing("ZYX", path) == (5.0, 0.994, 0.994)


@pytest.mark.verifies("REQ-012", "RC-10")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", "XML"),
        ("<OME/>", "no Pixels"),
        (OME.format(x="0", z="5", unit="µm"), "impossible"),
        (OME.format(x="abc", z="5", unit="µm"), "impossible"),
        (OME.format(x="1", z="5", unit="furlong"), "furlong"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><OME><Pixels PhysicalSizeX="1"/></OME>', "refused"),
        ('<OME><Pixels PhysicalSizeX="1" PhysicalSizeY="1" PhysicalSizeZ="1"/>'
         '<Pixels PhysicalSizeX="2" PhysicalSizeY="1" PhysicalSizeZ="1"/></OME>', "differ"),
    ],
)  # fmt: skip
def test_bad_ome_xml_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "m.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        read_ome(path).spacing("ZYX", path)
    assert "m.xml" in caught.value.message


@pytest.mark.verifies("REQ-012", "RC-10")
def test_a_volume_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    nifti(tmp_path / "v.nii.gz", ARRAY)
    tifffile.imwrite(tmp_path / "v.tif", ARRAY, photometric="minisblack")
    np.save(tmp_path / "v.npy", ARRAY)
    for name in ("v.nii.gz", "v.tif", "v.npy"):
        assert read_image(tmp_path / name, limits=Limits(voxels=105)).array.size == 105
        with pytest.raises(InputError, match="allowed"):
            read_image(tmp_path / name, limits=Limits(voxels=104))
        with pytest.raises(InputError, match="allowed"):
            read_image(tmp_path / name, limits=Limits(file_bytes=20))
    with pytest.raises(InputError, match="pages"):
        read_image(tmp_path / "v.tif", limits=Limits(pages=2))


@pytest.mark.verifies("REQ-012", "RC-10")
def test_a_header_that_announces_terabytes_takes_no_memory(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((32000, 32000, 32000))
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(1000)))
    with pytest.raises(InputError, match="allowed"):
        read_image(tmp_path / "v.nii.gz")


@pytest.mark.verifies("REQ-012", "RC-10")
def test_a_strip_that_would_unpack_to_more_than_its_size_is_refused_there(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", np.zeros((1, 64, 64), np.uint8), photometric="minisblack", compression="zlib")
    data = bytearray((tmp_path / "v.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "v.tif") as tiff:
        page = tiff.pages[0]
        place = page.tags["StripByteCounts"].valueoffset, page.tags["StripOffsets"].valueoffset
        assert page.tags["StripByteCounts"].dtype in (3, 4)
    bomb = zlib.compress(bytes(4_000_000), 9)
    struct.pack_into("<H" if page.tags["StripByteCounts"].dtype == 3 else "<I", data, place[0], len(bomb))
    struct.pack_into("<H" if page.tags["StripOffsets"].dtype == 3 else "<I", data, place[1], len(data))
    (tmp_path / "v.tif").write_bytes(bytes(data) + bomb)
    with pytest.raises(InputError, match="more than the 4096 bytes of its size"):
        read_image(tmp_path / "v.tif")


@pytest.mark.verifies("REQ-012", "RC-10")
def test_a_chain_of_pages_that_runs_in_a_circle_is_refused(tmp_path: Path) -> None:
    entry = struct.pack("<HHII", 256, 3, 1, 4)
    (tmp_path / "v.tif").write_bytes(b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8))
    with pytest.raises(InputError, match="circle"):
        read_image(tmp_path / "v.tif")


@pytest.mark.verifies("REQ-012")
@pytest.mark.parametrize(
    ("name", "content"),
    [("v.nii", b""), ("v.nii", b"nonsense" * 100), ("v.nii.gz", b"\x1f\x8bnot gzip"), ("v.tif", b"II*\0"),
     ("v.tif", b"hello there, this is text"), ("v.npy", b"\x93NUMPY\x01\x00\x10\x00{'a': __import__}"),
     ("v.png", b"x")],
)  # fmt: skip
def test_files_that_are_something_else_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / name)
    assert name in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.verifies("REQ-012")
def test_pickles_and_four_axes_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "four.npy", np.zeros((2, 2, 2, 2)))
    np.save(tmp_path / "complex.npy", np.zeros((2, 2, 2), dtype=complex))
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 3, 2)), np.eye(4)), tmp_path / "five.nii")
    for name in ("object.npy", "four.npy", "complex.npy", "five.nii", "absent.tif"):
        with pytest.raises(InputError):
            read_image(tmp_path / name)


@pytest.mark.verifies("REQ-011", "RC-15")
def test_spacing_comes_from_whoever_states_it(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", ARRAY)
    np.save(tmp_path / "l.npy", ARRAY > 30000)
    (tmp_path / "m.xml").write_text(OME.format(x=0.5, z=2.0, unit="µm"), encoding="utf-8")
    stated = source(image="i.npy", label="l.npy", spacing="2.01 x 0.5 x 0.5 um")
    assert read_case(stated, tmp_path).spacing == (2.01, 0.5, 0.5)
    (tmp_path / "bare.xml").write_text("<OME><Pixels/></OME>", encoding="utf-8")
    with pytest.raises(InputError, match=r"bare\.xml: no Pixels element states every PhysicalSize"):
        read_case(source(image="i.npy", label="l.npy", metadata="bare.xml"), tmp_path)
    both = source(image="i.npy", label="l.npy", spacing="2.01 x 0.5 x 0.5 um", metadata="m.xml")
    assert read_case(both, tmp_path).spacing == (2.0, 0.5, 0.5)
    case = read_case(both, tmp_path)
    assert case.image.dtype == np.float32
    assert case.label.dtype == np.uint8
    assert case.source_dtype == "uint16"


@pytest.mark.verifies("REQ-012", "RC-15")
def test_unknown_or_disagreeing_spacing_is_refused_with_a_hint(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", ARRAY)
    np.save(tmp_path / "l.npy", ARRAY > 30000)
    (tmp_path / "m.xml").write_text(OME.format(x=0.5, z=2.0, unit="µm"), encoding="utf-8")
    with pytest.raises(InputError, match="unknown") as caught:
        read_case(source(image="i.npy", label="l.npy"), tmp_path)
    assert "spacing for case a, for example 5 x 1 x 1 µm" in caught.value.hint
    wrong = source(image="i.npy", label="l.npy", metadata="m.xml", spacing="2.03 x 0.5 x 0.5 um")
    with pytest.raises(InputError, match=r"2 × 0.5 × 0.5 µm and minivess.yaml says 2.03 × 0.5 × 0.5"):
        read_case(wrong, tmp_path)


@pytest.mark.verifies("REQ-012")
def test_image_and_mask_must_lie_on_one_grid(tmp_path: Path) -> None:
    nifti(tmp_path / "i.nii", ARRAY)
    nifti(tmp_path / "l.nii", (ARRAY[:2] > 30000).astype(np.uint8))
    with pytest.raises(InputError, match=r"shape \(2, 5, 7\) is not the image's \(3, 5, 7\)"):
        read_case(source(), tmp_path)
    moved = nibabel.Nifti1Image((ARRAY > 30000).astype(np.uint8).transpose(2, 1, 0), np.diag([-1.0, 2.0, 3.0, 1.0]))
    moved.header.set_xyzt_units("micron")
    nibabel.save(moved, tmp_path / "l.nii")
    with pytest.raises(InputError, match="orientation"):
        read_case(source(), tmp_path)


@pytest.mark.verifies("REQ-012")
def test_a_broken_image_and_a_path_outside_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    np.save(root / "i.npy", np.full((2, 3, 4), np.nan, dtype=np.float32))
    np.save(root / "l.npy", np.ones((2, 3, 4), dtype=np.uint8))
    np.save(tmp_path / "outside.npy", np.ones((2, 3, 4)))
    with pytest.raises(InputError, match="NaN"):
        read_case(source(image="i.npy", label="l.npy", spacing="1 x 1 x 1 um"), root)
    with pytest.raises(InputError, match="leaves"):
        read_case(source(image="../outside.npy", label="l.npy", spacing="1 x 1 x 1 um"), root)


@pytest.mark.verifies("REQ-011", "REQ-012")
def test_masks_become_binary_by_the_stated_rule() -> None:
    path = Path("l.npy")
    assert binarise(np.array([0, 254], np.uint16), path)[1] == (0, 254)
    assert binarise(np.array([1, 1]), path)[0].tolist() == [1, 1]
    jpeg = np.array([0] * 600 + [255] * 400 + [3, 250, 251, 1, 2, 100])
    mask, values = binarise(jpeg, path)
    assert mask.sum() == 402
    assert values == (0, 1, 2, 3, 100, 250, 251, 255)
    for wrong in (
        np.array([-1, 0]),
        np.array([0.5, 0.0]),
        np.array([np.nan, 1.0]),
        np.arange(300),
        np.arange(0, 250, 10),
        np.array([0, 1, 2, 3]),
        np.array([1, 2]),
        np.array([0] * 300 + [19, 20]),
    ):
        with pytest.raises(InputError, match=r"l\.npy"):
            binarise(wrong, path)
