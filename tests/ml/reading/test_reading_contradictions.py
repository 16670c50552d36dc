"""Files that contradict themselves are refused under a rule, and doubtful ones keep the doubt."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from minivess.foundation.errors import InputError, UsageError
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.quality.rules import severities
from minivess.ml.quality.set_rules import findings
from minivess.ml.reading.case import read_case, read_image
from minivess.ml.reading.formats.dicom_seg import read_segmentation
from minivess.records.data.dataset import CaseRecord, Doubt
from minivess.records.data.source import CaseSource
from minivess.records.data.validation import RuleChange, Severity
from tests.support.builders import specimens

pytestmark = pytest.mark.verifies("SU-25")

STACK = np.arange(3 * 5 * 7, dtype=np.uint16).reshape(3, 5, 7)
OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels '
    'ID="Pixels:0" DimensionOrder="XYZCT" Type="{type}" SizeX="{x}" SizeY="5" SizeZ="{z}" SizeC="{c}" SizeT="{t}">'
    "{blocks}</Pixels></Image></OME>"
)


def nifti(
    *,
    sform: np.ndarray | None = None,
    qform: np.ndarray | None = None,
    codes: tuple[int, int] = (1, 1),
    change: Callable[[bytearray], None] = lambda data: None,
) -> bytes:
    import nibabel

    place = np.diag([1.0, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(STACK.transpose(2, 1, 0), place)
    image.set_sform(place if sform is None else sform, codes[1])
    if qform is not None:
        image.set_qform(qform, codes[0])
    image.header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    change(data)
    return bytes(data)


def packed(place: int) -> bytes:
    """A gzip file of which one byte, counted from the end, was changed."""
    data = bytearray(gzip.compress(nifti(), mtime=0))
    data[place] ^= 1
    return bytes(data)


def tiff(**options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, STACK, **{"photometric": "minisblack", **options})
    return stream.getvalue()


def ome(blocks: str = "", **stated: object) -> bytes:
    facts = {"type": "uint16", "x": 7, "z": 3, "c": 1, "t": 1} | stated
    return tiff(description=OME.format(blocks=blocks, **facts), metadata=None)


def nrrd(kinds: str = "domain domain domain", more: str = "", damage: int = 0, after: bytes = b"") -> bytes:
    head = (
        f"NRRD0004\ntype: uint16\ndimension: 3\nspace: left-posterior-superior\nsizes: 7 5 3\nendian: little\n"
        f"encoding: gzip\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (0,0,0)\nkinds: {kinds}\n{more}\n"
    )
    data = bytearray(gzip.compress(STACK.astype("<u2").tobytes() + after, mtime=0))
    data[-6] ^= damage
    return head.encode("ascii") + bytes(data)


def put(place: int, form: str, value: float) -> Callable[[bytearray], None]:
    return lambda data: struct.pack_into(form, data, place, value)


def png(change: int | None = None, after: bytes = b"") -> bytes:
    stream = io.BytesIO()
    Image.fromarray((STACK[0] * 7).astype(np.uint8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    if change is not None:
        data[change] ^= 1
    return bytes(data) + after


def deflated(change: int) -> bytes:
    data = bytearray(tiff(compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        page = file.pages[1]
        data[page.dataoffsets[0] + page.databytecounts[0] + change] ^= 1
    return bytes(data)


def late_description() -> bytes:
    """A TIFF whose description was the last thing in the file, and was cut off with it."""
    data = bytearray(tiff(description="x" * 4000, metadata=None))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[0].tags["ImageDescription"]
        struct.pack_into("<I", data, tag.offset + 8, len(data))
    return bytes(data) + bytes(100)


def one_page() -> bytes:
    """A MetaMorph stack: one page, and the planes of the others behind it."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, STACK[0], photometric="minisblack", metadata=None)
    return stream.getvalue() + STACK[1:].tobytes()


def with_inner_pages() -> bytes:
    """A stack with a pyramid: smaller pages within each page, at the end of the file."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for plane in STACK:
            writer.write(plane, subifds=1, photometric="minisblack", metadata=None)
            writer.write(plane[::2, ::2], photometric="minisblack", metadata=None)
    return stream.getvalue()


FLIPPED = np.diag([-1.0, 2.0, 3.0, 1.0])
MOVED = np.array([[1.0, 0, 0, 2], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]])
SHEARED = np.array([[1.0, 0, 1, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1]])
REFUSED = {
    "gzip-crc.nii.gz": ("checksum", lambda: packed(-6)),
    "gzip-size.nii.gz": ("checksum", lambda: packed(-2)),
    "crc.nrrd": ("checksum", lambda: nrrd(damage=1)),
    "data.png": ("checksum", lambda: png(change=45)),
    "end.png": ("checksum", lambda: png()[:-12]),
    "adler.tif": ("checksum", lambda: deflated(-2)),
    "offset-0.nii": ("voxel-offset", lambda: nifti(change=put(108, "<f", 0))),
    "offset-348.nii": ("voxel-offset", lambda: nifti(change=put(108, "<f", 348))),
    "bitpix.nii": ("voxel-type", lambda: nifti(change=put(72, "<h", 8))),
    "flip.nii": ("transforms-disagree", lambda: nifti(qform=FLIPPED)),
    "flip-atlas.nii": ("transforms-disagree", lambda: nifti(qform=FLIPPED, codes=(1, 4))),
    "moved.nii": ("transforms-disagree", lambda: nifti(qform=MOVED)),
    "twice.nrrd": ("transforms-disagree", lambda: nrrd(more="spacings: 1 2 4\n")),
    "sheared.nii": ("transform-sheared", lambda: nifti(sform=SHEARED)),
    "time.nrrd": ("axes-order", lambda: nrrd(kinds="domain domain time")),
    "time.tif": ("axes-order", lambda: tiff(metadata={"axes": "TYX"})),
    "channels.tif": ("axes-order", lambda: tiff(metadata={"axes": "CYX"})),
    "times.ome.tif": ("axes-order", lambda: ome(z=1, t=3)),
    "twice.ome.tif": ("axes-order", lambda: ome('<TiffData IFD="0" FirstZ="0"/><TiffData IFD="1" FirstZ="0"/>')),
    "beyond.ome.tif": ("axes-order", lambda: ome('<TiffData IFD="3" FirstZ="0"/>')),
    "some.ome.tif": ("pages-missing", lambda: ome('<TiffData IFD="0" FirstZ="0"/>')),
    "more.ome.tif": ("pages-missing", lambda: ome(z=4)),
    "wide.ome.tif": ("pages-missing", lambda: ome(x=9)),
    "typed.ome.tif": ("voxel-type", lambda: ome(type="float")),
    "shaped.tif": ("pages-missing", lambda: tiff(metadata=None, description='{"shape": [4, 5, 7]}')),
    "cut.tif": ("pages-missing", late_description),
    "dose.dcm": (
        "dose-scale",
        lambda: specimens.dicom_bytes(specimens.slice_of(0.0, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2")),
    ),
}


@pytest.mark.verifies("REQ-281", "RC-128")
@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_contradicts_itself_is_refused_under_a_rule(tmp_path: Path, name: str) -> None:
    rule, make = REFUSED[name]
    (tmp_path / name).write_bytes(make())
    with pytest.raises(InputError, match=rf"\(rule {rule}\)$") as caught:
        np.asarray(read_image(tmp_path / name).array).sum()
    assert caught.value.rule == rule
    assert RULES[rule].severity is Severity.BLOCK
    assert name in caught.value.message


@pytest.mark.verifies("REQ-281")
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("both.nii", lambda: nifti(qform=np.diag([1.0, 2.0, 3.0, 1.0]))),
        ("atlas.nii", lambda: nifti(qform=MOVED, codes=(1, 4))),
        ("gzip.nii.gz", lambda: gzip.compress(nifti(), mtime=0)),
        ("axes.tif", lambda: tiff(metadata={"axes": "ZYX"})),
        ("plain.tif", tiff),
        ("zlib.tif", lambda: tiff(compression="zlib", rowsperstrip=2)),
        ("inner.tif", with_inner_pages),
        ("gz.nrrd", nrrd),
        ("twice.nrrd", lambda: nrrd(more="spacings: 1 2 3\n")),
        ("ordered.ome.tif", lambda: ome('<TiffData IFD="0" PlaneCount="3"/>')),
        ("plain.ome.tif", ome),
    ],
)
def test_a_file_whose_statements_agree_is_read_without_a_doubt(tmp_path: Path, name: str, make: Callable) -> None:
    (tmp_path / name).write_bytes(make())
    volume = read_image(tmp_path / name)
    assert np.array_equal(volume.array, STACK)
    assert volume.doubts == ()


@pytest.mark.verifies("REQ-281", "RC-128")
def test_pages_are_put_in_the_order_that_ome_xml_states(tmp_path: Path) -> None:
    blocks = "".join(f'<TiffData IFD="{page}" FirstZ="{z}" PlaneCount="1"/>' for page, z in enumerate((2, 0, 1)))
    for options in ({}, {"compression": "zlib"}):
        facts = {"type": "uint16", "x": 7, "z": 3, "c": 1, "t": 1}
        (tmp_path / "v.ome.tif").write_bytes(
            tiff(description=OME.format(blocks=blocks, **facts), metadata=None, **options)
        )
        assert np.array_equal(read_image(tmp_path / "v.ome.tif").array, STACK[[1, 2, 0]])


@pytest.mark.verifies("REQ-281", "RC-128")
@pytest.mark.parametrize(
    "field", ["PatientID", "PatientName", "FrameOfReferenceUID", "StudyInstanceUID", "RescaleType", "Modality"]
)
def test_one_series_of_two_sources_is_refused_and_names_both_files_but_no_value(tmp_path: Path, field: str) -> None:
    for dataset in specimens.series():
        setattr(dataset, field, "OTHER" if dataset.InstanceNumber < 3 else "1.2.3.4")
        (tmp_path / f"{dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    with pytest.raises(InputError, match=field) as caught:
        read_image(tmp_path)
    assert caught.value.rule == "series-identity"
    assert "3.dcm" in caught.value.message
    assert "1.dcm" in caught.value.message
    assert "1.2.3.4" not in f"{caught.value.message}{caught.value.hint}"


@pytest.mark.verifies("REQ-281")
def test_a_dose_is_in_its_unit(tmp_path: Path) -> None:
    dose = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2", "DoseGridScaling": "0.5"}
    (tmp_path / "d.dcm").write_bytes(specimens.dicom_bytes(specimens.slice_of(0.0, STACK[0], **dose)))
    assert np.array_equal(read_image(tmp_path / "d.dcm").array, STACK[0] / 2)


DOUBTFUL = {
    "after.nii": ("bytes-left-over", lambda: nifti() + b"more"),
    "after.nii.gz": ("bytes-left-over", lambda: gzip.compress(nifti() + b"more", mtime=0)),
    "after.nrrd": ("bytes-left-over", lambda: nrrd(after=b"more")),
    "after.tif": ("bytes-left-over", lambda: tiff(compression="zlib") + bytes(300)),
    "planes.tif": ("bytes-left-over", one_page),
    "after-inner.tif": ("bytes-left-over", lambda: with_inner_pages() + bytes(300)),
    "after.png": ("bytes-left-over", lambda: png(after=b"more")),
    "after.npy": ("bytes-left-over", lambda: specimens.valid("npy") + b"more"),
    "after.jpg": ("bytes-left-over", lambda: specimens.valid("jpg") + b"more"),
    "a.jpg": ("source-lossy", lambda: specimens.valid("jpg")),
    "l.dcm": (
        "source-lossy",
        lambda: specimens.dicom_bytes(specimens.slice_of(0.0, LossyImageCompression="01")),
    ),
}


@pytest.mark.verifies("REQ-282", "RC-128")
@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubtful_file_is_read_and_keeps_the_doubt(tmp_path: Path, name: str) -> None:
    rule, make = DOUBTFUL[name]
    (tmp_path / name).write_bytes(make())
    volume = read_image(tmp_path / name)
    assert rule in [doubt.rule for doubt in volume.doubts]
    assert volume.lossy == any(doubt.rule == "source-lossy" for doubt in volume.doubts)


@pytest.mark.verifies("REQ-282")
@pytest.mark.parametrize(
    ("array", "doubtful"),
    [
        (np.array([[0, 2**24 + 1]], np.int64), True),
        (np.array([[0, 2**32 - 1]], np.uint32), True),
        (np.array([[0, 2**24 + 2]], np.uint32), False),
        (np.array([[0, 2**24]], np.int32), False),
        (np.array([[0, 2**24 + 1]], np.float64), True),
        (np.array([[1e9, 1e9 + 0.5]], np.float64), True),
        (np.array([[0.1, 0.2]], np.float64), False),
    ],
)
def test_values_that_float32_rounds_are_a_doubt(tmp_path: Path, array: np.ndarray, doubtful: bool) -> None:
    np.save(tmp_path / "i.npy", array)
    np.save(tmp_path / "l.npy", np.array([[0, 1]], np.uint8))
    case = read_case(
        CaseSource.model_validate({"id": "a", "subject": "s", "image": "i.npy", "label": "l.npy"}), tmp_path
    )
    assert [doubt.rule for doubt in case.doubts] == (["precision-lost"] if doubtful else [])


@pytest.mark.verifies("REQ-281")
@pytest.mark.parametrize("values", [(0, 1, 2), (1, 2), (0, 19, 20), tuple(range(40))])
def test_undeclared_classes_are_not_merged(tmp_path: Path, values: tuple[int, ...]) -> None:
    label = np.resize(np.array(values, np.uint8), (40, 50))
    np.save(tmp_path / "i.npy", label)
    np.save(tmp_path / "l.npy", label)
    source = CaseSource.model_validate({"id": "a", "subject": "s", "image": "i.npy", "label": "l.npy"})
    with pytest.raises(InputError) as caught:
        read_case(source, tmp_path)
    assert caught.value.rule == "mask-undeclared"


def record(name: str, doubts: tuple[Doubt, ...]) -> CaseRecord:
    return CaseRecord(
        id=name,
        subject=name,
        acquisition=name,
        axes="yx",
        shape=(4, 4),
        spacing=(1, 1),
        unit="px",
        modality="x",
        image=f"sha256:{'0' * 64}",
        label=f"sha256:{'1' * 64}",
        source_dtype="uint8",
        label_values=(0, 1),
        foreground_fraction=0.5,
        doubts=doubts,
    )


@pytest.mark.verifies("REQ-282")
def test_doubts_become_findings_of_their_rule_and_a_record_without_any_is_written_as_before() -> None:
    doubt = Doubt(rule="source-lossy", message="JPEG")
    few = [found for found in findings([record("a", (doubt,)), record("b", ())], {}) if found.rule == doubt.rule]
    assert [(found.case, found.message) for found in few] == [("a", "JPEG")]
    many = [one for one in findings([record(name, (doubt,)) for name in "abc"], {}) if one.rule == doubt.rule]
    assert [(found.case, found.message) for found in many] == [(None, "JPEG (3 of 3 cases)")]
    assert "doubts" not in record("a", ()).model_dump(mode="json")
    assert CaseRecord.model_validate_json(record("a", (doubt,)).model_dump_json()).doubts == (doubt,)


@pytest.mark.verifies("REQ-281", "REQ-282")
def test_a_doubt_can_be_lowered_with_a_reason_and_a_contradiction_cannot() -> None:
    lowered = RuleChange(severity=Severity.NOTE, reason="the writer pads its files")
    grades, changed = severities({"bytes-left-over": lowered})
    assert grades["bytes-left-over"] is Severity.NOTE
    assert changed[0].reason == "the writer pads its files"
    with pytest.raises(UsageError, match="checksum cannot be lowered"):
        severities({"checksum": lowered})


def dose(offsets: object, z: float = 8.0, **fields: object) -> bytes:
    """A dose of three frames, 4 mm apart, whose first frame is at `z`."""
    dataset = specimens.slice_of(z, STACK[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.481.2", DoseGridScaling="0.5")
    dataset.NumberOfFrames, dataset.GridFrameOffsetVector = 3, offsets
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = STACK.tobytes()
    return specimens.dicom_bytes(dataset)


@pytest.mark.verifies("REQ-286")
@pytest.mark.parametrize(
    ("offsets", "fields", "expected", "origin"),
    [
        ([0, 4, 8], {}, STACK, 8000),
        ([0, -4, -8], {}, STACK[::-1], 0),
        ([8, 12, 16], {}, STACK, 8000),
        ([8, 12, 16], {"ImageOrientationPatient": [1, 0, 0, 0, -1, 0]}, STACK[::-1], 16000),
        ([0, 4, 8], {"ImageOrientationPatient": [1, 0, 0, 0, -1, 0]}, STACK, 8000),
    ],
)
def test_each_frame_of_a_dose_lies_where_its_offset_says(
    tmp_path: Path, offsets: list[float], fields: dict, expected: np.ndarray, origin: float
) -> None:
    (tmp_path / "d.dcm").write_bytes(dose(offsets, **fields))
    volume = read_image(tmp_path / "d.dcm")
    assert np.array_equal(volume.array, expected / 2)
    assert volume.spacing == (4000.0, 500.0, 250.0)
    assert volume.affine is not None
    assert volume.affine[2, 3] == origin


@pytest.mark.verifies("REQ-286", "RC-128")
@pytest.mark.parametrize(
    ("offsets", "rule"),
    [([0, 4], "pages-missing"), ([], "pages-missing"), ([2, 6, 10], "transforms-disagree")],
)
def test_a_dose_whose_offsets_do_not_fit_its_frames_is_refused(tmp_path: Path, offsets: list[float], rule: str) -> None:
    (tmp_path / "d.dcm").write_bytes(dose(offsets))
    with pytest.raises(InputError, match="GridFrameOffsetVector") as caught:
        read_image(tmp_path / "d.dcm")
    assert caught.value.rule == rule


def scaled(values: list[int], dtype: type, slope: float, offset: float) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image(np.array([[values]], dtype), np.eye(4))
    image.header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    struct.pack_into("<2f", data, 112, slope, offset)
    return bytes(data)


@pytest.mark.verifies("REQ-286", "REQ-282")
@pytest.mark.parametrize(
    ("content", "doubtful"),
    [
        (lambda: scaled([10**9, 10**9 + 8, 10**9 + 16], np.int32, 0.5, 0.25), True),
        (lambda: scaled([0, 8, 16], np.int32, 0.5, 2**31), True),
        (lambda: scaled([0, 10**9, 2 * 10**9], np.int32, 0.1, 0), False),
        (lambda: scaled([0, 8, 16], np.int32, 0.5, 0), False),
        (lambda: scaled([0, 8, 16], np.int16, 0.5, 0), False),
    ],
)
def test_scaled_values_are_judged_before_they_are_float32(tmp_path: Path, content: Callable, doubtful: bool) -> None:
    (tmp_path / "i.nii").write_bytes(content())
    np.save(tmp_path / "l.npy", np.ones((3, 1, 1), np.uint8))
    source = CaseSource(id="a", subject="s", image="i.nii", label="l.npy")
    assert ("precision-lost" in [doubt.rule for doubt in read_case(source, tmp_path).doubts]) == doubtful


@pytest.mark.verifies("REQ-286", "RC-128")
def test_image_and_segmentation_of_two_frames_of_reference_are_refused(tmp_path: Path) -> None:
    mask = np.zeros((4, 5, 7), np.uint8)
    mask[1, 2:4, 2:5] = 1
    (tmp_path / "ct").mkdir()
    for dataset in specimens.series():
        (tmp_path / "ct" / f"{dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    content = specimens.segmentation(mask)
    source = CaseSource(id="a", subject="s", image="ct", label="l.dcm")
    (tmp_path / "l.dcm").write_bytes(content)
    assert not any("frame of reference" in note for note in read_case(source, tmp_path).notes)
    first = f"{specimens.UID}.3".encode("ascii")
    assert content.count(first + b"\0") == 1
    (tmp_path / "l.dcm").write_bytes(content.replace(first + b"\0", first[:-1] + b"4\0"))
    with pytest.raises(InputError, match="FrameOfReferenceUID is not that of ct") as caught:
        read_case(source, tmp_path)
    assert caught.value.rule == "frame-of-reference"
    for dataset in specimens.series():
        del dataset.FrameOfReferenceUID
        (tmp_path / "ct" / f"{dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    notes = read_case(source, tmp_path).notes
    assert "the image states no frame of reference: it is taken to be that of the other file" in notes


def moved_strip() -> bytes:
    """A stack of which a strip begins within the one before."""
    data = bytearray(tiff())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[1].tags["StripOffsets"]
        struct.pack_into("<I", data, tag.offset + 8, file.pages[1].dataoffsets[0] - 2)
    return bytes(data)


def uncompressed(value: int = 1) -> bytes:
    """A compressed stack that says that it is stored as it is."""
    stack = np.random.default_rng(0).integers(0, 60000, STACK.shape).astype(np.uint16)
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, photometric="minisblack", compression="zlib")
    data = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for page in file.pages:
            struct.pack_into("<H", data, page.tags["Compression"].offset + 8, value)
    return bytes(data)


@pytest.mark.verifies("REQ-286", "RC-128")
@pytest.mark.parametrize(("make", "says"), [(moved_strip, "belong to two"), (uncompressed, "a block of 8[0-9] bytes")])
def test_strips_that_overlap_or_are_too_long_are_refused(tmp_path: Path, make: Callable, says: str) -> None:
    (tmp_path / "v.tif").write_bytes(make())
    with pytest.raises(InputError, match=says) as caught:
        read_image(tmp_path / "v.tif")
    assert caught.value.rule == "pages-missing"


@pytest.mark.verifies("REQ-286")
def test_pages_may_share_one_strip(tmp_path: Path) -> None:
    data = bytearray(tiff())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[1].tags["StripOffsets"]
        struct.pack_into("<I", data, tag.offset + 8, file.pages[0].dataoffsets[0])
    (tmp_path / "v.tif").write_bytes(bytes(data))
    assert np.array_equal(read_image(tmp_path / "v.tif").array, STACK[[0, 0, 2]])


UNITS = 'space units: "mm" "mm" "mm"\n'


@pytest.mark.verifies("REQ-286", "RC-128")
@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("space units", "space tnits", "no field 'space tnits'"),
        ("space directions", "space directionz", "no field 'space directionz'"),
        ("left-posterior", "lift-posterior", "unknown space 'lift-posterior"),
        ("type: uint16", "type: \u00f5int16", "its type is no ASCII text"),
    ],
)
def test_nrrd_with_unknown_fields_or_spaces_is_refused(tmp_path: Path, before: str, after: str, says: str) -> None:
    content = nrrd(more=UNITS)
    (tmp_path / "v.nrrd").write_bytes(content.replace(before.encode("latin-1"), after.encode("latin-1"), 1))
    with pytest.raises(InputError, match=says):
        read_image(tmp_path / "v.nrrd")


@pytest.mark.verifies("REQ-286")
def test_fields_of_nrrd_are_read_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "v.nrrd").write_bytes(nrrd(more=UNITS + "scanner:=Maker\n").replace(b"space units", b"Space Units"))
    assert read_image(tmp_path / "v.nrrd").spacing == (3000.0, 2000.0, 1000.0)


@pytest.mark.verifies("REQ-286", "RC-128")
def test_a_frame_of_a_segment_that_is_not_described_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((4, 5, 7), np.uint8)
    mask[1, 2:4, 2:5] = 1
    content = specimens.segmentation(mask)
    number = struct.pack("<HH2sHH", 0x0062, 0x0004, b"US", 2, 1)
    assert content.count(number) == 1
    (tmp_path / "l.dcm").write_bytes(content.replace(number, number[:-2] + b"\3\0"))
    with pytest.raises(InputError, match="a frame belongs to segment 1") as caught:
        read_segmentation(tmp_path / "l.dcm", specimens.LIMITS)
    assert caught.value.rule == "mask-undeclared"
