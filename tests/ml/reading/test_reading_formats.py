"""Pictures, colour, NRRD, palettes, classes, and arrays that stay on the disk."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import nrrd
import numpy as np
import pytest
import tifffile
from PIL import Image

from minivess.foundation.errors import InputError
from minivess.ml.reading.case import Case, read_case, read_image
from minivess.ml.reading.masks import dice
from minivess.ml.reading.volume import Limits
from minivess.records.data.dataset import LabelClass
from minivess.records.data.source import CaseSource
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

pytestmark = pytest.mark.verifies("SU-25")

RNG = np.random.default_rng(5)
GREY = RNG.integers(0, 60000, (3, 5, 7)).astype(np.uint16)
FLAT = RNG.integers(0, 256, (40, 50)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
MASK = (FLAT > 128).astype(np.uint8)


def case(folder: Path, image: str, label: str, *, classes: dict[int, str] | None = None, **stated) -> Case:
    source = CaseSource.model_validate({"id": "a", "subject": "s", "image": image, "label": label} | stated)
    declared = tuple(LabelClass(value=value, name=name) for value, name in (classes or {}).items())
    return read_case(source, folder, classes=declared)


@pytest.mark.verifies("REQ-076")
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("dtype", ["uint8", "<i2", ">u2", "float32"])
def test_nrrd_reads_back_with_its_place(tmp_path: Path, encoding: str, dtype: str) -> None:
    array = (GREY % 120).astype(dtype)
    header = {
        "space": "left-posterior-superior",
        "space directions": [[0.5, 0, 0], [0, 0.25, 0], [0, 0, 2.0]],
        "space origin": [1, 2, 3],
        "space units": ["mm", "mm", "mm"],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "v.nrrd"), array, header, index_order="C")
    volume = read_image(tmp_path / "v.nrrd")
    assert np.array_equal(volume.array, array)
    assert volume.array.dtype == np.dtype(dtype)
    assert volume.spacing == (2000.0, 250.0, 500.0)
    assert volume.affine is not None
    assert volume.affine.tolist() == [[0, 0, -500, -1000], [0, -250, 0, -2000], [2000, 0, 0, 3000], [0, 0, 0, 1]]


@pytest.mark.verifies("REQ-076", "RC-15")
def test_nrrd_without_a_unit_asks_for_the_spacing_and_its_place_follows_it(tmp_path: Path) -> None:
    header = {
        "space": "right-anterior-superior",
        "space directions": np.diag([1.0, 2.0, 3.0]),
        "space origin": [0, 0, 5],
    }
    nrrd.write(str(tmp_path / "i.nrrd"), GREY, header, index_order="C")
    np.save(tmp_path / "l.npy", (GREY > 30000).astype(np.uint8))
    with pytest.raises(InputError, match="unknown") as caught:
        case(tmp_path, "i.nrrd", "l.npy")
    assert "that is 3 × 2 × 1 mm" in caught.value.hint
    found = case(tmp_path, "i.nrrd", "l.npy", spacing="3000 x 2000 x 1000 um")
    assert found.affine is not None
    assert found.affine[2].tolist() == [3000, 0, 0, 5000]
    assert found.source_format == "NRRD"


@pytest.mark.verifies("REQ-076", "REQ-078", "RC-10")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((b"encoding: raw", b"encoding: hex"), "encoded"),
        ((b"encoding: raw", b"encoding: raw\ndata file: /etc/passwd"), "another file"),
        ((b"sizes: 7 5 3", b"sizes: 99999 99999 99999"), "allowed"),
        ((b"sizes: 7 5 3", b"sizes: 7 5 30"), "truncated"),
        ((b"dimension: 3", b"dimension: 2"), "disagree"),
        ((b"type: uint16", b"type: block"), "type"),
        ((b"endian: little\n", b""), "byte order"),
    ],
)
def test_bad_nrrd_is_refused(tmp_path: Path, change: tuple[bytes, bytes], says: str) -> None:
    head = b"NRRD0004\ntype: uint16\ndimension: 3\nsizes: 7 5 3\nendian: little\nencoding: raw\n\n"
    (tmp_path / "v.nrrd").write_bytes(head.replace(*change) + GREY.tobytes())
    with pytest.raises(InputError, match=says):
        read_image(tmp_path / "v.nrrd")


@pytest.mark.verifies("REQ-076")
@pytest.mark.parametrize(
    ("array", "axes"),
    [(FLAT, "yx"), (FLAT.astype(np.uint16) * 200, "yx"), (FLAT > 100, "yx"), (COLOUR, "yxc")],
    ids=["8 bit", "16 bit", "1 bit", "colour"],
)
def test_png_reads_back(tmp_path: Path, array: np.ndarray, axes: str) -> None:
    Image.fromarray(array).save(tmp_path / "p.png", dpi=(300, 300))
    volume = read_image(tmp_path / "p.png")
    assert np.array_equal(volume.array, array)
    assert (volume.axes, volume.spacing, volume.format) == (axes, None, "PNG")


@pytest.mark.verifies("REQ-076")
def test_a_png_of_four_bits_keeps_its_values(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + bytes((17, 34)) for _ in range(2))  # values 1 1 2 2 in each row of 4 pixels
    chunks = (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 4, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert read_image(tmp_path / "p.png").array.tolist() == [[1, 1, 2, 2]] * 2


@pytest.mark.verifies("REQ-076")
def test_alpha_is_dropped_and_told(tmp_path: Path) -> None:
    alpha = np.dstack([COLOUR, np.full(FLAT.shape, 255, np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "p.png")
    tifffile.imwrite(tmp_path / "p.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    for name in ("p.png", "p.tif"):
        volume = read_image(tmp_path / name)
        assert np.array_equal(volume.array, COLOUR)
        assert any("alpha" in note for note in volume.notes)


@pytest.mark.verifies("REQ-076")
@pytest.mark.parametrize("options", [{}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}])
def test_colour_tiff_and_nifti_read_back(tmp_path: Path, options: dict) -> None:
    stack = np.stack([COLOUR, COLOUR[::-1]])
    tifffile.imwrite(tmp_path / "c.tif", stack, photometric="rgb", **options)
    tifffile.imwrite(tmp_path / "one.tif", COLOUR, photometric="rgb", **options)
    assert read_image(tmp_path / "c.tif").axes == "zyxc"
    assert np.array_equal(read_image(tmp_path / "c.tif").array, stack)
    assert np.array_equal(read_image(tmp_path / "one.tif").array, COLOUR)
    packed = np.ascontiguousarray(stack.transpose(2, 1, 0, 3)).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.save(nibabel.Nifti1Image(packed, np.eye(4)), tmp_path / "c.nii.gz")
    assert np.array_equal(read_image(tmp_path / "c.nii.gz").array, stack)


@pytest.mark.verifies("REQ-076")
def test_flat_files_become_pictures_measured_in_pixels_unless_somebody_knows_better(tmp_path: Path) -> None:
    Image.fromarray(FLAT).save(tmp_path / "i.png")
    Image.fromarray(MASK * 255).save(tmp_path / "l.png")
    tifffile.imwrite(tmp_path / "l.tif", MASK)
    np.save(tmp_path / "l.npy", MASK[None])
    for label in ("l.png", "l.tif", "l.npy"):
        found = case(tmp_path, "i.png", label)
        assert (found.axes, found.unit, found.spacing) == ("yx", "px", (1.0, 1.0))
        assert np.array_equal(found.label, MASK)
        assert found.image.dtype == np.float32
    known = case(tmp_path, "i.png", "l.png", spacing="2.5 x 3.5 um")
    assert (known.unit, known.spacing) == ("um", (2.5, 3.5))
    with pytest.raises(InputError, match="spacing must be 2 lengths"):
        case(tmp_path, "i.png", "l.png", spacing="1 x 2.5 x 3.5 um")


@pytest.mark.verifies("REQ-076")
def test_a_mask_in_a_colour_jpeg_goes_through_the_one_rule(tmp_path: Path) -> None:
    mask = np.zeros((64, 80), np.uint8)
    mask[10:50, 20:60] = 255
    Image.fromarray(COLOUR[:1, :1].repeat(64, 0).repeat(80, 1)).save(tmp_path / "i.jpg")
    Image.fromarray(np.dstack([mask] * 3)).save(tmp_path / "l.jpg", quality=80)
    found = case(tmp_path, "i.jpg", "l.jpg")
    assert np.array_equal(found.label, mask > 0)
    assert (found.axes, found.source_format) == ("yxc", "JPEG")
    assert "one of three equal colours was taken" in found.notes
    Image.fromarray(COLOUR).save(tmp_path / "colours.png")
    Image.fromarray(COLOUR).save(tmp_path / "c.png")
    with pytest.raises(InputError, match="colours"):
        case(tmp_path, "c.png", "colours.png")


@pytest.mark.verifies("REQ-076")
def test_palettes_are_colours_in_an_image_and_values_in_a_mask(tmp_path: Path) -> None:
    values = (FLAT % 3).astype(np.uint8)

    def save(name: str, palette: list[int]) -> None:
        image = Image.fromarray(values, "P")
        image.putpalette(palette)
        image.save(tmp_path / name)

    save("bright.png", [0, 0, 0, 255, 0, 0, 0, 0, 255])
    save("grey.png", [0, 0, 0, 255, 255, 255, 255, 255, 255])
    save("upside-down.png", [255, 255, 255, 9, 0, 0, 0, 0, 255])
    found = case(tmp_path, "bright.png", "bright.png", classes={1: "artery", 2: "vein"})
    assert np.array_equal(found.label, values)
    assert [one.name for one in found.classes] == ["artery", "vein"]
    assert found.axes == "yxc"
    assert found.image[values == 1].tolist()[0] == [255, 0, 0]
    grey = case(tmp_path, "grey.png", "grey.png")
    assert (grey.axes, grey.label_values) == ("yx", (0, 255))
    with pytest.raises(InputError, match="not black"):
        case(tmp_path, "bright.png", "upside-down.png")
    colours = np.zeros((256, 3), np.uint16)
    colours[1] = (65535, 0, 0)
    tifffile.imwrite(tmp_path / "l.tif", values % 2, photometric="palette", colormap=colours.T)
    assert np.array_equal(case(tmp_path, "grey.png", "l.tif").label, values % 2)


@pytest.mark.verifies("REQ-077")
def test_declared_classes_keep_their_values_and_others_are_refused(tmp_path: Path) -> None:
    values = (FLAT % 3).astype(np.uint8) * 7
    np.save(tmp_path / "i.npy", FLAT)
    np.save(tmp_path / "l.npy", values)
    found = case(tmp_path, "i.npy", "l.npy", classes={7: "artery", 14: "vein"})
    assert np.array_equal(found.label, values)
    assert found.label_values == (0, 7, 14)
    with pytest.raises(InputError, match=r"l\.npy: the mask holds 14, which no class declares"):
        case(tmp_path, "i.npy", "l.npy", classes={7: "artery", 9: "vein"})
    np.save(tmp_path / "l.npy", MASK * 254)
    one = case(tmp_path, "i.npy", "l.npy", classes={3: "vessel"})
    assert np.array_equal(one.label, MASK * 3)
    assert one.label_values == (0, 254)
    assert case(tmp_path, "i.npy", "l.npy").classes == (LabelClass(value=1, name="foreground"),)


@pytest.mark.verifies("REQ-080")
def test_a_second_readers_mask_gives_their_agreement(tmp_path: Path) -> None:
    other = MASK.copy()
    other[:10] = 0
    np.save(tmp_path / "i.npy", FLAT)
    np.save(tmp_path / "l.npy", MASK)
    np.save(tmp_path / "m.npy", other * 255)
    found = case(tmp_path, "i.npy", "l.npy", second_label="m.npy")
    assert found.reader_agreement == pytest.approx(2 * other.sum() / (MASK.sum() + other.sum()))
    assert case(tmp_path, "i.npy", "l.npy").reader_agreement is None
    assert dice(MASK * 0, MASK * 0) == 1.0


@pytest.mark.verifies("REQ-076")
def test_uncompressed_volumes_stay_on_the_disk_until_they_are_looked_at(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(GREY.transpose(2, 1, 0), np.eye(4)), tmp_path / "v.nii")
    nibabel.save(nibabel.Nifti1Image(GREY.transpose(2, 1, 0).astype(">u2"), np.eye(4)), tmp_path / "big.nii")
    np.save(tmp_path / "v.npy", np.asfortranarray(GREY))
    tifffile.imwrite(tmp_path / "v.tif", GREY, photometric="minisblack", byteorder=">")
    nrrd.write(str(tmp_path / "v.nrrd"), GREY, {"encoding": "raw"}, index_order="C")
    for name in ("v.nii", "big.nii", "v.npy", "v.tif", "v.nrrd"):
        array = read_image(tmp_path / name).array
        assert isinstance(array, np.memmap), name
        assert np.array_equal(array, GREY)
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1


@pytest.mark.verifies("REQ-076", "RC-15")
def test_an_orientation_says_where_the_axes_point(tmp_path: Path) -> None:
    from minivess.ml.reading.geometry import orientation_of

    for axes, expected in ((np.diag([2.0, 2, 3, 1]), "SAR"), (np.diag([-2.0, -2, 3, 1]), "SPL")):
        image = nibabel.Nifti1Image(GREY.transpose(2, 1, 0), axes)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, tmp_path / "v.nii")
        volume = read_image(tmp_path / "v.nii")
        assert volume.affine is not None
        assert orientation_of(volume.affine) == expected
        assert volume.spacing == (3000.0, 2000.0, 2000.0)
    image.header["pixdim"][1] = 9
    nibabel.save(nibabel.Nifti1Image(GREY.transpose(2, 1, 0), None, image.header), tmp_path / "v.nii")
    with pytest.raises(InputError, match="pixdim says"):
        read_image(tmp_path / "v.nii")


def _png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    )
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.verifies("REQ-078", "RC-10")
def test_pictures_that_would_fill_the_memory_or_lie_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(FLAT).save(stream, "JPEG", progressive=True)
    scan = stream.getvalue()
    many = scan[:-2] + scan[scan.index(b"\xff\xda") : -2] * 40 + scan[-2:]
    files = {
        "wide.png": (_png(2**31 - 1, 2**31 - 1, 8, 0, b""), "allowed"),
        "bomb.png": (_png(12000, 12000, 8, 0, b"\0" * 5000), "ratio"),
        "deep.png": (_png(4, 4, 16, 2, b"\0" * 200), "16 bits"),
        "scans.jpg": (many, "scans"),
        "text.jpg": (b"hello, this is no picture", "neither"),
        "tiff.png": (b"II*\0" + b"\0" * 60, "neither"),
    }
    for name, (content, says) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=says):
            read_image(tmp_path / name)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(COLOUR).save(tmp_path / "turned.jpg", exif=turned)
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "print.jpg")
    frames = [Image.fromarray(FLAT), Image.fromarray(255 - FLAT)]
    frames[0].save(tmp_path / "film.png", save_all=True, append_images=frames[1:])
    for name, says in (("turned.jpg", "turn"), ("print.jpg", "CMYK"), ("film.png", "animated")):
        with pytest.raises(InputError, match=says):
            read_image(tmp_path / name)


@pytest.mark.verifies("REQ-078", "RC-10")
def test_more_bytes_than_any_compression_could_hold_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((700, 700, 700))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(1000)))
    (tmp_path / "v.nrrd").write_bytes(
        b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 700 700 700\nencoding: gzip\n\n" + gzip.compress(bytes(99))
    )
    for name in ("v.nii.gz", "v.nrrd"):
        with pytest.raises(InputError, match="ratio 2000"):
            read_image(tmp_path / name)
    zeros = np.zeros((64, 256, 256), np.uint8)
    nibabel.save(nibabel.Nifti1Image(zeros, np.eye(4)), tmp_path / "empty.nii.gz")
    assert read_image(tmp_path / "empty.nii.gz", limits=Limits(voxels=zeros.size)).array.sum() == 0
