"""Steps of features/data_reading.feature."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import imagecodecs
import nrrd
import numpy as np
import pytest
import tifffile
from PIL import Image
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.foundation.errors import InputError, MinivessError, RefusedError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.case_measures import measure
from minivess.ml.quality.duplicates.views import comparable
from minivess.ml.quality.pages.case_pictures import thumbnail
from minivess.ml.quality.rule_catalogue import RULES
from minivess.ml.quality.validation import validate
from minivess.ml.reading.case import read_case, read_image
from minivess.ml.reading.decoders import frames
from minivess.ml.reading.sources import case_sources
from minivess.ml.reading.volume import Limits, Volume
from minivess.records.data.dataset import LabelClass
from minivess.records.data.source import CaseSource, Data
from minivess.records.data.validation import RuleChange, Severity
from minivess.records.models.task import SegmentationTask
from tests.support.builders import specimens
from tests.support.lazy_modules import lazily

with lazily("tifffile"):
    import tifffile

with lazily("nibabel"):
    import nibabel

scenarios("data_reading.feature")

STACK = np.stack([specimens.GREY[0], specimens.GREY[1], specimens.GREY[2], specimens.GREY[0]])
DRAWN = np.zeros(STACK.shape, np.uint8)
DRAWN[2, 2:4, 1:6] = 1
DRAWN[1, 0, 0] = 1
FLAT = np.full((32, 40), 90, np.uint8)
FLAT_DRAWN = np.zeros((32, 40), np.uint8)
FLAT_DRAWN[8:24, 8:32] = 1


@pytest.fixture
def facts() -> dict[str, Any]:
    """What the steps of one scenario tell each other."""
    return {"classes": (), "reason": None}


def _series(folder: Path, slices: list[Any]) -> str:
    (folder / "ct").mkdir()
    for dataset in slices:
        (folder / "ct" / f"{9 - dataset.InstanceNumber}.dcm").write_bytes(specimens.dicom_bytes(dataset))
    return "ct"


def _nrrd(folder: Path, name: str, array: np.ndarray) -> str:
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([0.25, 0.5, 2.0]),
        "space origin": [10, 20, 0],
        "space units": ["mm", "mm", "mm"],
    }
    nrrd.write(str(folder / name), array, header, index_order="C")
    return name


def _picture(folder: Path, name: str, array: np.ndarray) -> str:
    Image.fromarray(array).save(folder / name)
    return name


def _npy(folder: Path, name: str, array: np.ndarray) -> str:
    np.save(folder / name, array)
    return name


def _seg(folder: Path, name: str, array: np.ndarray) -> str:
    (folder / name).write_bytes(specimens.segmentation(array))
    return name


@given(parsers.parse("an image in {image} and its mask in {mask}"))
def _written(facts: dict, tmp_path: Path, image: str, mask: str) -> None:
    if image == "a DICOM series":
        facts["image"] = _series(tmp_path, specimens.series())
    elif image == "NRRD":
        facts["image"] = _nrrd(tmp_path, "i.nrrd", STACK)
    elif image == "a grey PNG":
        facts["image"] = _picture(tmp_path, "i.png", FLAT)
    else:
        facts["image"] = _picture(tmp_path, "i.jpg", np.dstack([FLAT] * 3))
    drawn = {
        "NRRD": lambda: _nrrd(tmp_path, "l.nrrd", DRAWN),
        "DICOM-SEG": lambda: _seg(tmp_path, "l.dcm", DRAWN),
        ".npy": lambda: _npy(tmp_path, "l.npy", DRAWN * 255),
        "PNG": lambda: _picture(tmp_path, "l.png", FLAT_DRAWN * 255),
        "JPEG": lambda: _picture(tmp_path, "l.jpg", np.dstack([FLAT_DRAWN * 255] * 3)),
    }
    facts["label"] = drawn[mask]()


@given("a DICOM series of which the third slice is missing")
def _gap(facts: dict, tmp_path: Path) -> None:
    slices = [specimens.slice_of(2.0 * n, specimens.GREY[0], number=n + 1) for n in (0, 1, 3, 4)]
    facts["image"] = _series(tmp_path, slices)
    facts["label"] = _npy(tmp_path, "l.npy", DRAWN)


@given("a mask with the values 0, 7 and 14")
def _valued(facts: dict, tmp_path: Path) -> None:
    facts["mask"] = (np.arange(60) % 3 * 7).astype(np.uint8).reshape(6, 10)
    facts["image"], facts["label"] = _npy(tmp_path, "i.npy", facts["mask"] + 1), _npy(tmp_path, "l.npy", facts["mask"])


@given("a DICOM series with the name of a patient")
def _named(facts: dict, tmp_path: Path) -> None:
    slices = specimens.series()
    slices[2].PatientName = "Doe^Jane"
    facts["image"], facts["label"] = _series(tmp_path, slices), _npy(tmp_path, "l.npy", DRAWN)


@when("the case is read")
def _read(facts: dict, tmp_path: Path) -> None:
    stated = {"id": "a", "subject": "s", "image": facts["image"], "label": facts["label"]}
    source = CaseSource.model_validate(stated | {"spacing": facts.get("spacing")})
    try:
        facts["case"] = read_case(source, tmp_path, classes=facts["classes"], accept_identifiers=facts["reason"])
    except MinivessError as error:
        facts["error"] = error


@then(parsers.parse('its axes are "{axes}" and its spacing is "{spacing}"'))
def _axes(facts: dict, axes: str, spacing: str) -> None:
    case = facts["case"]
    assert case.axes == axes
    assert f"{' × '.join(f'{step:g}' for step in case.spacing)} {case.unit}" == spacing


@then("its voxels are float32 and its mask is the one that was drawn")
def _voxels(facts: dict) -> None:
    case = facts["case"]
    assert case.image.dtype == np.float32
    assert np.array_equal(case.label, DRAWN if case.axes == "zyx" else FLAT_DRAWN)
    if case.axes == "zyx":
        assert np.array_equal(case.image, STACK)


@then(parsers.parse('it is refused with "{says}" and the slice beside the gap is named'))
def _missing(facts: dict, says: str) -> None:
    assert says in facts["error"].message
    assert facts["error"].message.startswith("ct/5.dcm")
    assert "7.dcm" in facts["error"].hint


@when(parsers.re(r"(only )?arteries are declared as 7 and (?P<other>\w+) as (?P<value>\d+)"))
def _declared(facts: dict, tmp_path: Path, other: str, value: str) -> None:
    facts["classes"] = (LabelClass(value=7, name="artery"), LabelClass(value=int(value), name=other))
    _read(facts, tmp_path)


@then("the mask keeps its values and the case names both classes")
def _kept(facts: dict) -> None:
    assert np.array_equal(facts["case"].label, facts["mask"])
    assert [one.value for one in facts["case"].classes] == [7, 14]


@then("the case is refused and the value 14 is named")
def _undeclared(facts: dict) -> None:
    assert "l.npy: the mask holds 14" in facts["error"].message


@given("a valid file of every kind that is read")
def _all_kinds(facts: dict, tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    facts["kinds"] = specimens.KINDS


@when(parsers.parse("each is damaged in {ways:d} ways and read"))
def _damaged(facts: dict, tmp_path: Path, ways: int) -> None:
    chance = random.Random(4)  # noqa: S311 - damage need not be secret
    facts["found"], facts["raised"] = [], []
    for kind in facts["kinds"]:
        path = tmp_path / f"v.{kind}"
        for _ in range(ways):
            path.write_bytes(specimens.damage(specimens.valid(kind), chance))
            try:
                facts["found"].append((path.name, specimens.read(kind, path, tmp_path / "series")))
            except InputError as error:
                facts["found"].append((path.name, error))
            except Exception as error:
                facts["raised"].append((kind, error))


@then("every one is read within the limits or refused by an error that names it")
def _judged(facts: dict) -> None:
    for name, found in facts["found"]:
        if isinstance(found, InputError):
            assert name in found.message
            assert (found.rule or "file-malformed") in RULES
        elif isinstance(found, Volume):
            assert found.array.size <= specimens.LIMITS.voxels


@then("nothing else is raised")
def _nothing_else(facts: dict) -> None:
    assert facts["raised"] == []


@given("a picture of 144 million pixels in a few hundred bytes and a series of frames beyond the limit")
def _bombs(facts: dict, tmp_path: Path) -> None:
    content = bytearray(specimens.valid("png"))
    content[16:24] = (12_000).to_bytes(4, "big") * 2
    (tmp_path / "wide.png").write_bytes(bytes(content))
    (tmp_path / "many.dcm").write_bytes(specimens.dicom_bytes(specimens.slice_of(0.0, NumberOfFrames=60_000)))
    frames = specimens.slice_of(0.0)
    frames.Rows = frames.Columns = 60_000
    (tmp_path / "large.dcm").write_bytes(specimens.dicom_bytes(frames))
    facts["files"] = ("wide.png", "many.dcm", "large.dcm")


@when("each is read within small limits")
def _small(facts: dict, tmp_path: Path) -> None:
    facts["said"] = []
    for name in facts["files"]:
        with pytest.raises(InputError) as caught:
            read_image(tmp_path / name, limits=Limits(voxels=10_000_000, pages=50))
        facts["said"].append(caught.value.message)


@then("each is refused because of a limit")
def _limited(facts: dict) -> None:
    wide, many, large = facts["said"]
    assert "more than the 10000000 allowed" in wide
    assert "60000 frames" in many
    assert "more than the 10000000 allowed" in large


@then("it is refused, the attribute is named, and the name of the patient is not")
def _unnamed(facts: dict) -> None:
    error = facts["error"]
    assert isinstance(error, RefusedError)
    assert "(0010,0010) PatientName" in error.message
    assert "Doe" not in f"{error.message}{error.hint}"


@when("the project states why identifiers are accepted")
def _accepted(facts: dict, tmp_path: Path) -> None:
    facts["reason"] = "a phantom"
    _read(facts, tmp_path)


@then("the case is read and keeps the place, not the name")
def _place(facts: dict) -> None:
    assert facts["case"].identifiers == ("(0010,0010) PatientName",)


@given("three images of two animals and their masks, named by animal and day")
def _animals(facts: dict, tmp_path: Path) -> None:
    for name in ("rat1_day1", "rat1_day2", "rat2_day1"):
        for folder, ending in (("images", "raw"), ("masks", "drawn")):
            (tmp_path / folder).mkdir(exist_ok=True)
            _npy(tmp_path / folder, f"{name}_{ending}.npy", DRAWN)
    pairs = {"images": "images/*", "labels": "masks/*", "name": r"^(?P<case>(?P<subject>rat\d)_day\d)_"}
    facts["data"] = Data.model_validate({"name": "d", "licence": "x", "source": "y", "root": ".", "pairs": pairs})


@when("the files are paired by name")
def _paired(facts: dict, tmp_path: Path) -> None:
    facts["cases"] = case_sources(facts["data"], tmp_path)


@then("there are three cases of two subjects")
def _three(facts: dict) -> None:
    assert [case.id for case in facts["cases"]] == ["rat1_day1", "rat1_day2", "rat2_day1"]
    assert {case.subject for case in facts["cases"]} == {"rat1", "rat2"}


@when("one mask is taken away")
def _taken(facts: dict, tmp_path: Path) -> None:
    (tmp_path / "masks" / "rat2_day1_drawn.npy").unlink()
    with pytest.raises(InputError) as caught:
        case_sources(facts["data"], tmp_path)
    facts["error"] = caught.value


@then("pairing is refused and names the image without a mask")
def _alone(facts: dict) -> None:
    assert "1 images without a mask: images/rat2_day1_raw.npy" in facts["error"].message


@given("a table of one case with the masks of two readers who agree on half")
def _table(facts: dict, tmp_path: Path) -> None:
    half = FLAT_DRAWN.copy()
    half[:16] = 0
    _npy(tmp_path, "i.npy", FLAT)
    _npy(tmp_path, "l.npy", FLAT_DRAWN)
    _npy(tmp_path, "m.npy", half)
    facts["table"] = tmp_path / "cases.csv"
    facts["table"].write_text("id,subject,image,label,second_label\na,s,i.npy,l.npy,m.npy\n", encoding="utf-8")
    facts["data"] = Data.model_validate({"name": "d", "licence": "x", "source": "y", "root": ".", "table": "cases.csv"})


@when("the table is ingested")
def _ingested(facts: dict, tmp_path: Path) -> None:
    facts["manifest"] = ingest(facts["data"], tmp_path, tmp_path / "out")


@then("the case states how far the readers agree")
def _agreement(facts: dict) -> None:
    assert facts["manifest"].cases[0].reader_agreement == pytest.approx(2 / 3)


@when("the table gains an unknown column")
def _column(facts: dict, tmp_path: Path) -> None:
    facts["table"].write_text("id,subject,image,label,Weight\na,s,i.npy,l.npy,3\n", encoding="utf-8")
    with pytest.raises(RefusedError) as caught:
        ingest(facts["data"], tmp_path, tmp_path / "out")
    facts["error"] = caught.value


@then("the table is refused with its name and line")
def _line(facts: dict) -> None:
    assert facts["error"].message.startswith("cases.csv:1: unknown column 'Weight'")


@given("a DICOM series of which the third slice states another patient")
def _two_patients(facts: dict, tmp_path: Path) -> None:
    slices = specimens.series()
    for number, dataset in enumerate(slices):
        dataset.PatientID = "p2" if number == 2 else "p1"
    facts["image"], facts["label"] = _series(tmp_path, slices), _npy(tmp_path, "l.npy", DRAWN)


@given("the mask states another frame of reference")
def _elsewhere(facts: dict, tmp_path: Path) -> None:
    path = tmp_path / facts["label"]
    first = f"{specimens.UID}.3\0".encode("ascii")
    path.write_bytes(path.read_bytes().replace(first, first[:-2] + b"4\0"))
    facts["named"] = ("l.dcm", "ct")


@given("a NIfTI volume whose checksum was changed")
def _checksum(facts: dict, tmp_path: Path) -> None:
    content = bytearray(specimens.valid("nii.gz"))
    content[-8] ^= 1
    (tmp_path / "i.nii.gz").write_bytes(bytes(content))
    facts["image"], facts["label"] = "i.nii.gz", _npy(tmp_path, "l.npy", DRAWN[:3])


@then(parsers.parse('it is refused under the rule "{rule}" and both files are named'))
def _both_named(facts: dict, rule: str) -> None:
    assert facts["error"].rule == rule
    for name in facts.get("named", ("ct/6.dcm", "5.dcm")):
        assert name in facts["error"].message


@then(parsers.parse('it is refused under the rule "{rule}" and the file is named'))
def _one_named(facts: dict, rule: str) -> None:
    assert facts["error"].rule == rule
    assert facts["error"].message.startswith("i.nii.gz: ")


@given("an image with whole numbers beyond 16777216")
def _large(facts: dict, tmp_path: Path) -> None:
    _npy(tmp_path, "i.npy", FLAT.astype(np.int64) + 2**24 + np.arange(40))
    _npy(tmp_path, "l.npy", FLAT_DRAWN)
    case = {"id": "a", "subject": "s", "image": "i.npy", "label": "l.npy"}
    facts["data"] = Data.model_validate({"name": "d", "licence": "x", "source": "y", "root": ".", "cases": [case]})


@when("it is ingested and validated")
def _validated(facts: dict, tmp_path: Path) -> None:
    facts["manifest"] = ingest(facts["data"], tmp_path, tmp_path / "out")
    facts["report"] = validate(facts["manifest"], tmp_path / "out")


@then(parsers.parse('the rule "{rule}" blocks'))
def _blocks(facts: dict, rule: str) -> None:
    assert [one.case for one in facts["report"].findings if one.rule == rule and one.severity is Severity.BLOCK] == [
        "a"
    ]


@when("the project lowers the rule with a reason")
def _lowered(facts: dict, tmp_path: Path) -> None:
    change = RuleChange(severity=Severity.NOTE, reason="counts are noise beyond six digits")
    facts["report"] = validate(facts["manifest"], tmp_path / "out", changes={"precision-lost": change})


@then("the report shows the rule, its severity and the reason")
def _shown(facts: dict) -> None:
    changed = facts["report"].changed[0]
    assert (changed.rule, changed.severity, changed.usual) == ("precision-lost", Severity.NOTE, Severity.BLOCK)
    assert changed.reason == "counts are noise beyond six digits"
    assert [one.severity for one in facts["report"].findings if one.rule == "precision-lost"] == [Severity.NOTE]


PLACED = np.diag([0.5, 0.5, 2.0, 1.0])
HEADERS = {
    "the same": (PLACED, "mm"),
    "no unit": (PLACED, "unknown"),
    "no unit, other planes": (np.diag([0.5, 0.5, 3.0, 1.0]), "unknown"),
    "no unit, mirrored": (np.diag([-0.5, 0.5, 2.0, 1.0]), "unknown"),
    "no unit, elsewhere": (PLACED + 500 * np.eye(4)[:, :1] @ np.eye(4)[3:], "unknown"),
}


def _nifti(folder: Path, name: str, array: np.ndarray, header: str) -> str:
    affine, unit = HEADERS[header]
    made = nibabel.Nifti1Image(array.T, affine)
    made.header.set_xyzt_units(unit)
    (folder / name).write_bytes(made.to_bytes())
    return name


@given(parsers.parse("an image with planes 2 mm apart and a mask whose header has {header}"))
def _pair_of(facts: dict, tmp_path: Path, header: str) -> None:
    facts["image"] = _nifti(tmp_path, "i.nii", STACK, "the same")
    facts["label"] = _nifti(tmp_path, "l.nii", DRAWN, header)


def _nrrd_at(path: Path, array: np.ndarray, x: float, first: float) -> None:
    places = (f"space directions: ({x},0,0) (0,0.5,0) (0,0,2)", f"space origin: ({first},20,30)")
    sizes = f"sizes: {' '.join(str(size) for size in array.shape[::-1])}"
    kind = "uchar" if array.dtype == np.uint8 else "ushort"
    lines = ("NRRD0005", f"type: {kind}", "dimension: 3", "space dimension: 3", sizes, *places)
    text = "\n".join((*lines, 'space units: "mm" "mm" "mm"', "endian: little", "encoding: raw", "", ""))
    path.write_bytes(text.encode() + array.tobytes())


@given(parsers.parse("a stack in {image} and a mask in {mask}"))
def _in_part(facts: dict, tmp_path: Path, image: str, mask: str) -> None:
    stack, drawn = STACK.astype(np.uint16), DRAWN.astype(np.uint8)
    kind = image.split(maxsplit=1)[0]
    facts["image"], facts["label"] = ("i.nrrd", "l.nrrd") if kind == "NRRD" else ("i.tif", "l.npy")
    if kind == "NRRD":
        _nrrd_at(tmp_path / "i.nrrd", stack, 0.5, 10)
        _nrrd_at(tmp_path / "l.nrrd", drawn, -0.5, 10 + 0.5 * (drawn.shape[2] - 1))
    else:
        np.save(tmp_path / "l.npy", drawn)
    if kind == "ImageJ":
        axes = {"axes": "ZYX", "unit": "um"}
        tifffile.imwrite(tmp_path / "i.tif", stack, imagej=True, resolution=(2, 2), metadata=axes)
    if kind == "TIFF":
        turned = [(274, "H", 1, 3, True)]
        tifffile.imwrite(tmp_path / "i.tif", stack, photometric="minisblack", extratags=turned)


@given("an image and a mask whose headers name no unit")
def _unnamed_units(facts: dict, tmp_path: Path) -> None:
    facts["image"], facts["label"] = (
        _nifti(tmp_path, name, array, "no unit") for name, array in (("i.nii", STACK), ("l.nii", DRAWN))
    )


@given(parsers.parse("a project that states {size}"))
def _size(facts: dict, size: str) -> None:
    facts["spacing"] = {"no voxel size": None, "voxels of 1.5 µm": "1.5 x 1.5 x 1.5 µm"}[size]


@then(parsers.parse('it is refused with "{one}" and "{other}"'))
def _both_figures(facts: dict, one: str, other: str) -> None:
    assert one in facts["error"].message
    assert other in facts["error"].message


@then(parsers.parse('the case notes "{note}"'))
def _noted(facts: dict, note: str) -> None:
    assert any(one.startswith(note) for one in facts["case"].notes)


@then(parsers.parse('it is refused with "{says}" and a hint at data.unit'))
def _asked(facts: dict, says: str) -> None:
    assert says in facts["error"].message
    assert "data.unit" in facts["error"].hint


@when("the project states the unit mm, um and px in turn")
def _units(facts: dict, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    stated = {"name": "d", "licence": "x", "source": "y", "root": "."}
    one = {"id": "a", "subject": "s", "image": facts["image"], "label": facts["label"]}
    plans = [Data.model_validate(stated | {"cases": [one], "unit": unit}) for unit in ("mm", "um", "px")]
    facts["records"] = [ingest(plan, tmp_path, folder).cases[0] for plan in plans]


@then(parsers.parse('the spacing is "{first}", "{second}" and "{third}"'))
def _each(facts: dict, first: str, second: str, third: str) -> None:
    found = [f"{' × '.join(f'{step:g}' for step in one.spacing)} {one.unit}" for one in facts["records"]]
    assert found == [first, second, third]


@when(parsers.parse('data.subject_from is "{pattern}" and the files are paired'))
def _by_pattern(facts: dict, tmp_path: Path, pattern: str) -> None:
    plan = facts["data"].model_dump(mode="json", exclude_none=True) | {"subject_from": pattern}
    plan["pairs"]["name"] = r"^(?P<case>rat\d_day\d)_"
    try:
        facts["cases"] = case_sources(Data.model_validate(plan), tmp_path)
    except InputError as error:
        facts["error"] = error


@then("pairing is refused because a name does not fit data.subject_from")
def _no_fit(facts: dict) -> None:
    assert facts["error"].message == "images/rat1_day1_raw.npy: does not fit data.subject_from"


@given("a deflated DICOM file")
def _deflated(facts: dict, tmp_path: Path) -> None:
    dataset = specimens.slice_of(0.0)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    (tmp_path / "v.dcm").write_bytes(specimens.dicom_bytes(dataset))


@when("the file is read")
def _file_read(facts: dict, tmp_path: Path) -> None:
    facts["volume"] = read_image(tmp_path / "v.dcm")


@then("its values are those that were deflated")
def _inflated(facts: dict) -> None:
    assert np.array_equal(facts["volume"].array, specimens.GREY[0])


WRITTEN = np.random.default_rng(8).integers(0, 4096, (19, 23)).astype(np.uint16)
REAL = (WRITTEN * 0.37).astype(np.float32)


def _lossless_jpeg(folder: Path) -> Path:
    return _encapsulated(folder, imagecodecs.ljpeg_encode(WRITTEN, bitspersample=12), "70")


def _jpeg_ls(folder: Path) -> Path:
    return _encapsulated(folder, imagecodecs.jpegls_encode(WRITTEN), "80")


def _zstandard(folder: Path) -> Path:
    tifffile.imwrite(folder / "v.tif", WRITTEN, photometric="minisblack", compression="zstd")
    return folder / "v.tif"


def _real_numbers(folder: Path) -> Path:
    tifffile.imwrite(folder / "v.tif", REAL, photometric="minisblack", compression="zlib", predictor=3)
    return folder / "v.tif"


def _encapsulated(folder: Path, stream: bytes, syntax: str) -> Path:
    from pydicom.encaps import encapsulate

    dataset = specimens.slice_of(0.0, WRITTEN)
    dataset.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.4.{syntax}"
    dataset.PixelData = encapsulate([stream])
    dataset["PixelData"].VR = "OB"
    (folder / "v.dcm").write_bytes(specimens.dicom_bytes(dataset))
    return folder / "v.dcm"


_COMPRESSED = {
    "DICOM with lossless JPEG": _lossless_jpeg,
    "DICOM with JPEG-LS": _jpeg_ls,
    "TIFF with Zstandard": _zstandard,
    "TIFF with real numbers": _real_numbers,
}


@given(parsers.re("a file in (?P<form>DICOM with .*|TIFF with .*)"))
def _compressed(facts: dict, tmp_path: Path, form: str) -> None:
    facts["path"] = _COMPRESSED[form](tmp_path)


@given("the process that decodes it ends")
def _decoder_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    frames.DECODERS.close()
    monkeypatch.setattr(frames, "MODULE", "minivess.foundation.processes")  # a package cannot be run


@when("it is opened")
def _opened(facts: dict) -> None:
    try:
        facts["volume"] = read_image(facts["path"])
    except InputError as error:
        facts["error"] = error


@when("the process can run again and it is opened")
def _opened_again(facts: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    _opened(facts)


@then("its values are those that were written")
def _as_written(facts: dict) -> None:
    written = REAL if facts["volume"].array.dtype == np.float32 else WRITTEN
    assert np.array_equal(facts["volume"].array, written)


@then(parsers.parse('it is refused with the file\'s name and "{words}"'))
def _refused_with_name(facts: dict, words: str) -> None:
    assert words in facts["error"].message
    assert facts["error"].path == facts["path"]


@given("a volume as a pair of NIfTI files")
def _pair(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(STACK.T, np.eye(4)), tmp_path / "v.img")


@when('the file "v.hdr" and the file "v.img" are read')
def _both_read(facts: dict, tmp_path: Path) -> None:
    facts["arrays"] = [np.array(read_image(tmp_path / name).array) for name in ("v.hdr", "v.img")]


@then("both give the voxels that were written")
def _both_whole(facts: dict) -> None:
    assert all(np.array_equal(array, STACK) for array in facts["arrays"])


@when('the file "v.img" is removed')
def _voxels_removed(tmp_path: Path) -> None:
    (tmp_path / "v.img").unlink()


@then('reading "v.hdr" is refused and names "v.img"')
def _half_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"v\.img, are missing"):
        read_image(tmp_path / "v.hdr")


def _four_axes(folder: Path, unit: str | None, intent: str = "none") -> None:
    image = nibabel.Nifti1Image(np.stack([STACK.T, STACK.T + 1], axis=-1), np.eye(4))
    image.header.set_xyzt_units("mm", unit)
    image.header.set_intent(intent)
    nibabel.save(image, folder / "v.nii")


@given("a NIfTI volume of 2 channels whose fourth axis is stated to be a vector")
def _a_vector(tmp_path: Path) -> None:
    _four_axes(tmp_path, None, "vector")


@when("its fourth axis has neither a unit nor an intent")
def _nothing_stated(tmp_path: Path) -> None:
    _four_axes(tmp_path, None)


@when("the volume is read")
def _volume_read(facts: dict, tmp_path: Path) -> None:
    facts["volume"] = read_image(tmp_path / "v.nii")


@then("it has 2 channels along its last axis")
def _two_channels(facts: dict) -> None:
    assert facts["volume"].channels == ("channel 1", "channel 2")
    assert np.array_equal(facts["volume"].array, np.stack([STACK, STACK + 1], axis=-1))


@when("its fourth axis has the unit seconds")
def _with_seconds(tmp_path: Path) -> None:
    _four_axes(tmp_path, "sec")


@then(parsers.parse('reading it is refused with "{words}" and a way to save one'))
def _time_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_image(tmp_path / "v.nii")
    assert "slicer" in caught.value.hint


TWO_CHANNELS = np.stack([STACK, STACK.max() - STACK], axis=-1)


def _write_channels(path: Path, names: tuple[str, str]) -> None:
    """A volume of two channels in the format of the suffix."""
    if path.suffix in (".nii", ".img"):
        made = nibabel.Nifti1Image if path.suffix == ".nii" else nibabel.Nifti1Pair
        image = made(TWO_CHANNELS.transpose(2, 1, 0, 3)[:, :, :, None], np.eye(4))
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
    elif path.suffix == ".nrrd":
        place = {"space": "left-posterior-superior", "space units": ["mm"] * 3, "kinds": ["list", *["domain"] * 3]}
        directions = np.vstack([[np.nan] * 3, np.eye(3)])
        nrrd.write(str(path), TWO_CHANNELS.transpose(3, 2, 1, 0), {**place, "space directions": directions})
    else:
        sizes = {f"PhysicalSize{axis}": 1.0 for axis in "XYZ"}
        metadata = {"axes": "CZYX", "Channel": {"Name": list(names)}, **sizes}
        stack = np.moveaxis(TWO_CHANNELS, -1, 0)
        tifffile.imwrite(path, stack, ome=True, metadata=metadata, photometric="minisblack")


SUFFIXES = {"NIfTI": "nii", "a pair of NIfTI": "img", "NRRD": "nrrd", "OME-TIFF": "ome.tif"}


@given(parsers.re("cases of 2 channels as (?P<kind>.+)"))
def _cases_of_channels(facts: dict, tmp_path: Path, kind: str) -> None:
    _channel_cases(facts, tmp_path, SUFFIXES[kind], ("vessel", "nucleus"))


@given("two cases of OME-TIFF whose channels have another order")
def _channels_in_another_order(facts: dict, tmp_path: Path) -> None:
    _channel_cases(facts, tmp_path, "ome.tif", ("nucleus", "vessel"))


def _channel_cases(facts: dict, folder: Path, suffix: str, second: tuple[str, str]) -> None:
    np.save(folder / "l.npy", (STACK.mean() < STACK).astype(np.uint8))
    facts["sources"] = []
    for name, names in (("a", ("vessel", "nucleus")), ("b", second)):
        _write_channels(folder / f"{name}.{suffix}", names)
        facts["sources"].append({"id": name, "subject": name, "image": f"{name}.{suffix}", "label": "l.npy"})


@when("they are checked and ingested")
def _checked_and_ingested(facts: dict, tmp_path: Path) -> None:
    data = Data.model_validate(
        {"name": "channels", "licence": "x", "source": "y", "root": str(tmp_path), "cases": facts["sources"]}
    )
    facts["manifest"] = ingest(data, tmp_path, tmp_path / "prepared")
    facts["measures"] = [measure(load_case(tmp_path / "prepared", case.id)) for case in facts["manifest"].cases]


@then("each has axes zyxc with the channels in their order, and their names")
def _channels_ingested(facts: dict, tmp_path: Path) -> None:
    task = SegmentationTask.of(facts["manifest"])
    assert (task.channels, task.axes) == (2, "zyx")
    for record in facts["manifest"].cases:
        loaded = load_case(tmp_path / "prepared", record.id)
        assert record.axes == "zyxc"
        assert np.array_equal(loaded.image, TWO_CHANNELS)
        ome = record.source_format == "OME-TIFF"
        assert record.channels == (("vessel", "nucleus") if ome else ("channel 1", "channel 2"))
        assert len(thumbnail(loaded)) > 100
        assert comparable(loaded.image, record.axes).shape == STACK.shape


@then(parsers.parse('a network for them is refused with "{words}"'))
def _order_refused(facts: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SegmentationTask.of(facts["manifest"])
