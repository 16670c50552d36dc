"""DICOM series and segmentations, as a scanner and highdicom write them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from minivess.foundation.errors import InputError, RefusedError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.reading.case import read_case, read_image
from minivess.ml.reading.geometry import orientation_of
from minivess.ml.reading.volume import Limits
from minivess.records.data.source import CaseSource, Data
from tests.support.builders.specimens import GREY, UID, dicom_bytes, segmentation, series, slice_of
from tests.support.lazy_modules import lazily

with lazily("pydicom"):
    from pydicom import encaps

pytestmark = pytest.mark.verifies("SU-25")

STACK = np.stack([GREY[0], GREY[1], GREY[2], GREY[0]])


def write(folder: Path, slices: list[Any], *, backwards: bool = True) -> Path:
    """Write slices under names whose order is not theirs."""
    folder.mkdir(exist_ok=True)
    for number, dataset in enumerate(reversed(slices) if backwards else slices):
        (folder / f"{number:03d}.dcm").write_bytes(dicom_bytes(dataset))
    return folder


def source(label: str, **stated) -> CaseSource:
    return CaseSource.model_validate({"id": "a", "subject": "s", "image": "ct", "label": label} | stated)


@pytest.mark.verifies("REQ-076")
def test_a_series_is_put_in_order_and_knows_where_it_lies(tmp_path: Path) -> None:
    folder = write(tmp_path / "ct", series())
    (folder / "README.txt").write_text("no DICOM", encoding="utf-8")
    volume = read_image(folder)
    assert np.array_equal(volume.array, STACK)
    assert volume.array.dtype == np.uint16
    assert volume.spacing == (2000.0, 500.0, 250.0)
    assert volume.affine is not None
    assert volume.affine.tolist() == [[0, 0, -250, -10000], [0, -500, 0, -20000], [2000, 0, 0, 0], [0, 0, 0, 1]]
    assert orientation_of(volume.affine) == "SPL"
    assert (volume.facts.modality, volume.facts.scanner) == ("CT", "Maker One")
    assert volume.identifiers == ()


@pytest.mark.verifies("REQ-414")
@pytest.mark.parametrize(
    ("stated", "sex", "age"),
    [
        ({"PatientSex": "F", "PatientAge": "063Y"}, "female", "60 to 69 years"),
        ({"PatientSex": "M", "PatientAge": "018M"}, "male", "0 to 9 years"),
        ({"PatientSex": "O", "PatientAge": "700W"}, "other", "10 to 19 years"),
        ({"PatientSex": "O", "PatientAge": "095Y"}, "other", "90 years and over"),
        ({"PatientSex": "", "PatientAge": ""}, None, None),
        ({}, None, None),
    ],
)
def test_sex_and_the_band_of_the_age_are_taken_from_the_file(
    tmp_path: Path, stated: dict[str, str], sex: str | None, age: str | None
) -> None:
    slices = [slice_of(2.0 * n, GREY[0], number=n + 1, **stated) for n in range(2)]
    facts = read_image(write(tmp_path / "ct", slices)).facts
    assert (facts.sex, facts.age) == (sex, age)


@pytest.mark.verifies("REQ-414")
def test_what_the_project_states_must_agree_with_the_file(tmp_path: Path) -> None:
    mask = (np.median(STACK) < STACK).astype(np.uint8)
    np.save(tmp_path / "m.npy", mask)
    for name, day in (("ct", 0), ("other", 1)):
        series_of = [
            slice_of(2.0 * n, plane + day, number=n + 1, series=f"{UID}.{9 + day}", PatientSex="F", PatientAge="063Y")
            for n, plane in enumerate(STACK)
        ]
        write(tmp_path / name, series_of)
    case = {"id": "a", "subject": "s", "image": "ct", "label": "m.npy", "sex": "female", "attributes": {"stage": "2"}}
    facts = {"name": "d", "licence": "x", "source": "y", "root": "."}
    [found] = ingest(Data.model_validate({**facts, "cases": [case]}), tmp_path, tmp_path / "out").cases
    assert found.attributes == {"age": "60 to 69 years", "sex": "female", "stage": "2"}
    wrong = {**case, "id": "b", "subject": "t", "image": "other", "age": 50}
    with pytest.raises(RefusedError, match="states another age than the image"):
        ingest(Data.model_validate({**facts, "cases": [case, wrong]}), tmp_path, tmp_path / "out")


@pytest.mark.verifies("REQ-076")
def test_uids_are_told_as_digests_and_join_what_is_of_one_study(tmp_path: Path) -> None:
    first = read_image(write(tmp_path / "a", series())).facts
    other = [slice_of(2.0 * n, GREY[0], number=n + 1, series=f"{UID}.7") for n in range(2)]
    second = read_image(write(tmp_path / "b", other)).facts
    assert first.origin == second.origin
    assert first.acquisition != second.acquisition
    assert UID not in f"{first}{second}"


@pytest.mark.verifies("REQ-076")
def test_each_slice_is_rescaled_by_its_own_numbers(tmp_path: Path) -> None:
    slices = [slice_of(2.0 * n, GREY[0], number=n + 1, RescaleSlope=n + 1, RescaleIntercept=-1000) for n in range(2)]
    volume = read_image(write(tmp_path / "ct", slices))
    assert volume.array == pytest.approx(np.stack([GREY[0] * 1.0 - 1000, GREY[0] * 2.0 - 1000]))
    assert volume.dtype == "uint16"


@pytest.mark.verifies("REQ-076")
def test_signed_big_endian_compressed_and_colour_slices_are_read(tmp_path: Path) -> None:
    signed = (GREY[0].astype(np.int32) - 30000).astype(np.int16)
    big = slice_of(0.0, signed.astype(">i2"))
    big.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.2"
    big._is_little_endian, big._is_implicit_VR = False, False
    rle = slice_of(0.0, signed)
    colour = slice_of(
        0.0, np.dstack([GREY[0].astype(np.uint8)] * 3), SamplesPerPixel=3, PhotometricInterpretation="RGB"
    )
    colour.PlanarConfiguration = 0
    (tmp_path / "rle.dcm").write_bytes(dicom_bytes(rle, compress="1.2.840.10008.1.2.5"))
    (tmp_path / "big.dcm").write_bytes(dicom_bytes(big))
    (tmp_path / "colour.dcm").write_bytes(dicom_bytes(colour))
    for name in ("rle.dcm", "big.dcm"):
        assert np.array_equal(read_image(tmp_path / name).array, signed), name
    assert read_image(tmp_path / "colour.dcm").axes == "yxc"


@pytest.mark.verifies("REQ-076", "REQ-078", "RC-15")
def test_series_that_are_no_volume_are_refused_with_the_slice_at_fault(tmp_path: Path) -> None:
    stack = {
        "3 slices are missing": [0.0, 2.0, 4.0, 12.0, 14.0],
        "two slices at one place": [0.0, 2.0, 2.0, 4.0],
        "apart": [0.0, 2.0, 4.0, 6.7, 8.7],
    }
    for says, places in stack.items():
        slices = [slice_of(z, GREY[0], number=n + 1) for n, z in enumerate(places)]
        with pytest.raises(InputError, match=says) as caught:
            read_image(write(tmp_path / says.replace(" ", "-"), slices))
        assert caught.value.path is not None
        assert caught.value.path.suffix == ".dcm"
        assert caught.value.hint


@pytest.mark.verifies("REQ-076", "REQ-078")
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}, "different orientation"),
        ({"ImagePositionPatient": [10.0, 21.0, 2.0]}, "tilted gantry"),
        ({"PixelSpacing": [0.5, 0.5]}, "different pixel spacing"),
        ({"SeriesInstanceUID": f"{UID}.8"}, "2 series"),
        ({"ImagePositionPatient": None}, "no position"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "another PhotometricInterpretation"),
        ({"Rows": 4}, "pixels"),
        ({"Rows": 6}, "truncated"),
        ({"Columns": 60000, "Rows": 60000}, "allowed"),
    ],
)
def test_slices_that_do_not_belong_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    slices = [slice_of(0.0, GREY[0]), slice_of(2.0, GREY[1], number=2, **change)]
    with pytest.raises(InputError) as caught:
        read_image(write(tmp_path / "ct", slices, backwards=False))
    assert says in f"{caught.value.message} {caught.value.hint}"
    if says == "2 series":
        assert "series 4 (CT): 1 from 000.dcm; series 4 (CT): 1 from 001.dcm" in caught.value.hint


@pytest.mark.verifies("REQ-078", "RC-10")
def test_transfer_syntaxes_that_are_not_read_are_named(tmp_path: Path) -> None:
    video, lossless = slice_of(0.0), slice_of(0.0)
    video.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    video.PixelData = encaps.encapsulate([bytes(16)])
    lossless.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    lossless.PixelData = encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    for dataset, name in ((video, "MPEG2"), (lossless, "High-Throughput JPEG 2000")):
        (tmp_path / "v.dcm").write_bytes(dicom_bytes(dataset))
        with pytest.raises(InputError, match=name):
            read_image(tmp_path / "v.dcm")


@pytest.mark.verifies("REQ-078", "RC-10")
def test_a_code_stream_larger_than_announced_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((3000, 3000), np.uint8)).save(stream, "JPEG2000", no_jp2=True)
    dataset = slice_of(0.0, GREY[0].astype(np.uint8))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
    dataset.PixelData = encaps.encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    (tmp_path / "v.dcm").write_bytes(dicom_bytes(dataset))
    with pytest.raises(InputError, match=r"\(3000, 3000, 1\) values where \(5, 7, 1\)"):
        read_image(tmp_path / "v.dcm")


@pytest.mark.verifies("REQ-078", "RC-10")
def test_too_many_slices_frames_or_bytes_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "ct", series())
    assert read_image(folder, limits=Limits(pages=4)).array.shape[0] == 4
    for limits in (Limits(pages=3), Limits(voxels=139), Limits(file_bytes=3000)):
        with pytest.raises(InputError, match="allowed"):
            read_image(folder, limits=limits)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="without DICOM files"):
        read_image(empty)
    (folder / "zzz.dcm").write_bytes(b"not DICOM")
    with pytest.raises(InputError, match="not a DICOM file"):
        read_image(folder)


def mask() -> np.ndarray:
    made = np.zeros((4, 5, 7), np.uint8)
    made[2, 2:4, 1:6] = 1
    made[3, 0, 0] = 1
    return made


@pytest.mark.verifies("REQ-076")
def test_a_segmentation_of_some_planes_is_laid_on_its_series_by_position(tmp_path: Path) -> None:
    write(tmp_path / "ct", series())
    (tmp_path / "seg.dcm").write_bytes(segmentation(mask()))
    found = read_case(source("seg.dcm"), tmp_path)
    assert np.array_equal(found.label, mask())
    assert [(one.value, one.name) for one in found.classes] == [(1, "vessel")]
    assert found.source_format == "DICOM"


@pytest.mark.verifies("REQ-076", "REQ-077")
def test_segments_become_classes_and_a_label_map_is_the_same(tmp_path: Path) -> None:
    write(tmp_path / "ct", series())
    two = mask()
    two[3, 0, 0] = 2
    for kind in ("BINARY", "LABELMAP"):
        (tmp_path / "seg.dcm").write_bytes(segmentation(two, ("artery", "vein"), kind))
        found = read_case(source("seg.dcm"), tmp_path)
        assert np.array_equal(found.label, two), kind
        assert [one.name for one in found.classes] == ["artery", "vein"], kind


@pytest.mark.verifies("REQ-076", "RC-15")
def test_a_segmentation_of_another_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seg.dcm").write_bytes(segmentation(mask()))
    moved = [slice_of(2.0 * n + 1.0, GREY[0], number=n + 1) for n in range(4)]
    write(tmp_path / "ct", moved)
    with pytest.raises(InputError, match="are not on the image's grid"):
        read_case(source("seg.dcm"), tmp_path)
    write(tmp_path / "ct", [slice_of(2.0 * n, GREY[0], number=n + 1) for n in range(3)])
    (tmp_path / "ct" / "003.dcm").unlink()
    with pytest.raises(InputError, match="outside the image"):
        read_case(source("seg.dcm"), tmp_path)
    with pytest.raises(InputError, match="a segmentation, not an image"):
        read_image(tmp_path / "seg.dcm")


@pytest.mark.verifies("REQ-079")
def test_a_named_patient_is_refused_and_a_stated_reason_accepts(tmp_path: Path) -> None:
    write(tmp_path / "ct", [slice_of(0.0, GREY[0], PatientName="Doe^Jane"), slice_of(2.0, GREY[1], number=2)])
    np.save(tmp_path / "l.npy", (GREY[:2] > 30000).astype(np.uint8))
    with pytest.raises(RefusedError, match=r"\(0010,0010\) PatientName") as caught:
        read_case(source("l.npy"), tmp_path)
    assert "Doe" not in f"{caught.value.message}{caught.value.hint}"
    assert "accept_identifiers" in caught.value.hint
    assert read_case(source("l.npy"), tmp_path, accept_identifiers="a phantom").identifiers == (
        "(0010,0010) PatientName",
    )


def enhanced(planes: list[np.ndarray], places: list[float]) -> Any:
    """One file with a frame a slice, each with its own position (PS3.3 A.38)."""
    from pydicom.dataset import Dataset

    dataset = slice_of(0.0, np.stack(planes), NumberOfFrames=len(planes))
    dataset.Rows, dataset.Columns = planes[0].shape
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(dataset, name)

    def group(name: str, **values: Any) -> Dataset:
        item, outer = Dataset(), Dataset()
        for key, value in values.items():
            setattr(item, key, value)
        setattr(outer, name, [item])
        return outer

    shared = group("PixelMeasuresSequence", PixelSpacing=[0.5, 0.25], SliceThickness=2)
    shared.update(group("PlaneOrientationSequence", ImageOrientationPatient=[1, 0, 0, 0, 1, 0]))
    shared.update(group("PixelValueTransformationSequence", RescaleSlope=2, RescaleIntercept=-10))
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        group("PlanePositionSequence", ImagePositionPatient=[0, 0, place]) for place in places
    ]
    return dataset


@pytest.mark.verifies("REQ-076")
def test_frames_of_one_file_are_put_in_order_by_their_own_positions(tmp_path: Path) -> None:
    planes = [GREY[0], GREY[1], GREY[2]]
    (tmp_path / "v.dcm").write_bytes(dicom_bytes(enhanced(planes, [4.0, 0.0, 2.0])))
    volume = read_image(tmp_path / "v.dcm")
    assert volume.array == pytest.approx(np.stack([GREY[1], GREY[2], GREY[0]]) * 2.0 - 10)
    assert volume.spacing == (2000.0, 500.0, 250.0)
    (tmp_path / "film.dcm").write_bytes(
        dicom_bytes(slice_of(0.0, np.stack(planes), NumberOfFrames=3, Rows=5, Columns=7))
    )
    with pytest.raises(InputError, match="has no position"):
        read_image(tmp_path / "film.dcm")
