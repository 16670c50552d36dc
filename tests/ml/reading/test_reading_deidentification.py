"""Where files may say who is in the picture: found, named by place, never repeated, refused by default."""

from __future__ import annotations

import struct
from pathlib import Path

import nrrd
import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from minivess.foundation.errors import RefusedError
from minivess.ml.cases.ingestion import ingest
from minivess.ml.reading.case import read_image
from minivess.ml.reading.deidentification import Traces, dicom_traces, free_text
from minivess.ml.reading.formats.ome import read_ome
from minivess.records.data.source import Data
from tests.support.builders.specimens import slice_of
from tests.support.lazy_modules import lazily

with lazily("nibabel"):
    import nibabel

GREY = np.arange(80, dtype=np.uint8).reshape(8, 10)
pytestmark = [pytest.mark.verifies("REQ-079", "SU-25")]


def traces(**fields) -> Traces:
    return dicom_traces(slice_of(0.0, **fields))


def test_a_series_without_identity_passes_and_says_what_is_kept() -> None:
    assert traces() == Traces()
    assert traces(PatientAge="042Y", StudyDescription="CT HEAD").risks == (
        "StudyDescription is kept",
        "PatientAge is kept",
    )


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"PatientName": "Doe^Jane"}, "(0010,0010) PatientName"),
        ({"OperatorsName": "Roe^Rick"}, "(0008,1070) OperatorsName"),
        ({"PatientID": "77654033"}, "(0010,0020) PatientID"),
        ({"PatientBirthDate": "19700101"}, "(0010,0030) PatientBirthDate"),
        ({"StudyDate": "20240101"}, "(0008,0020) StudyDate"),
        ({"AcquisitionDateTime": "20240101120000"}, "(0008,002a) AcquisitionDateTime"),
        ({"InstitutionName": "General Hospital"}, "(0008,0080) InstitutionName"),
        ({"DeviceSerialNumber": "123"}, "(0018,1000) DeviceSerialNumber"),
        ({"ImageComments": "seen with Dr Who"}, "(0020,4000) ImageComments"),
        ({"BurnedInAnnotation": "YES"}, "(0028,0301) BurnedInAnnotation is YES"),
    ],
)
def test_attributes_that_identify_are_named(fields: dict[str, str], place: str) -> None:
    found = traces(**fields)
    assert found.identifiers == (place,)
    assert not any(value in str(found) for value in fields.values() if value != "YES")


def test_private_attributes_sequences_and_overlays_are_looked_into() -> None:
    dataset = slice_of(0.0)
    dataset.private_block(0x0009, "SOMEBODY", create=True).add_new(0x01, "LO", "Jane")
    inner = type(dataset)()
    inner.PatientName = "Doe^Jane"
    dataset.ReferencedImageSequence = [inner]
    dataset.add_new(0x60003000, "OW", b"\0\0")
    found = dicom_traces(dataset)
    assert found.identifiers == ("(0010,0010) PatientName", "private attributes (0009,xxxx)")
    assert found.risks == ("(6000,xxxx) overlay, which may hold writing",)


def test_what_a_deidentifier_states_is_believed_where_dummies_are_allowed() -> None:
    dummies = {"PatientName": "Subject 7", "PatientID": "7", "PatientIdentityRemoved": "YES", "StudyDate": "20000101"}
    assert traces(**dummies).identifiers == ("(0008,0020) StudyDate",)
    assert traces(**dummies, LongitudinalTemporalInformationModified="MODIFIED").identifiers == ()
    assert traces(
        **dummies, InstitutionName="St Elsewhere", LongitudinalTemporalInformationModified="MODIFIED"
    ).identifiers
    assert traces(PatientName="Anonymous", PatientComments="None") == Traces()


def test_modalities_whose_pictures_carry_writing_are_told() -> None:
    assert "look for writing" in traces(Modality="US").risks[0]
    assert traces(Modality="US", BurnedInAnnotation="NO").risks == ()


def test_free_text_is_judged_by_its_signs() -> None:
    assert free_text("here", "FSL5.0") == Traces(risks=("here holds free text",))
    assert free_text("here", "  ") == Traces()
    for text in ("Doe^Jane", "scan of 2024-02-03", "DOB 1970", "patient 7", "j@example.org", "taken 20240203"):
        assert free_text("here", text).identifiers == ("here",), text


def test_text_in_pictures_is_found(tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Author", "Jane Doe")
    text.add_text("Software", "a program")
    text.add_itxt("Comment", "patient 7", zip=True)
    Image.fromarray(GREY).save(tmp_path / "p.png", pnginfo=text)
    assert read_image(tmp_path / "p.png").identifiers == ("PNG text 'Author'", "PNG text 'Comment'")
    exif = Image.Exif()
    exif[0x013B], exif[0x010F] = "Jane Doe", "Camera maker"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(GREY).save(tmp_path / "p.jpg", exif=exif, comment=b"Lavc58")
    volume = read_image(tmp_path / "p.jpg")
    assert set(volume.identifiers) == {"EXIF Artist", "EXIF GPS"}
    assert volume.notes == ("JPEG text 'comment' holds free text",)
    assert volume.facts.scanner == "Camera maker"


def test_text_in_volumes_is_found(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "v.tif",
        GREY,
        description="seen on 2024-02-03",
        extratags=[(315, 2, 0, "Jane Doe", True)],
        metadata=None,
    )
    assert read_image(tmp_path / "v.tif").identifiers == ("TIFF tag 315 Artist", "TIFF tag 270 ImageDescription")
    image = nibabel.Nifti1Image(GREY[None], np.eye(4))
    image.header["descrip"], image.header["db_name"] = b"Doe^Jane", b"jane"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(2, b""))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a comment"))
    nibabel.save(image, tmp_path / "v.nii")
    volume = read_image(tmp_path / "v.nii")
    assert volume.identifiers == ("NIfTI descrip", "NIfTI db_name", "NIfTI extension 2 (DICOM header)")
    assert volume.notes == ("NIfTI extension 6 may hold free text",)
    nrrd.write(str(tmp_path / "v.nrrd"), GREY, {"patient": "Jane", "content": "a scan"}, index_order="C")
    volume = read_image(tmp_path / "v.nrrd")
    assert (volume.identifiers, volume.notes) == (("NRRD patient",), ("NRRD content holds free text",))


def test_people_in_ome_xml_are_found(tmp_path: Path) -> None:
    (tmp_path / "m.xml").write_text(
        '<OME><Experimenter ID="e" LastName="Doe"/><Microscope Model="One"/><Image Name="C:\\Users\\doe\\mouse7.oib">'
        "<AcquisitionDate>2024-02-03</AcquisitionDate><Pixels/></Image></OME>",
        encoding="utf-8",
    )
    ome = read_ome(tmp_path / "m.xml")
    assert ome.traces.identifiers == ("OME-XML Experimenter",)
    assert ome.traces.risks == ("OME-XML states the date of acquisition",)
    assert (ome.facts.scanner, ome.facts.origin) == ("One", "mouse7.oib")


def test_a_chain_of_extensions_that_leads_nowhere_ends(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(GREY[None], np.eye(4))
    content = bytearray(image.to_bytes()[:348])
    struct.pack_into("<f", content, 108, 16_000_000.0)
    body = b"\1\0\0\0" + struct.pack("<ii", 8, 6) * 1_999_000
    (tmp_path / "v.nii").write_bytes(bytes(content) + body.ljust(16_000_000 - 348, b"\0") + GREY.tobytes())
    assert read_image(tmp_path / "v.nii").notes == ("NIfTI extension 6 may hold free text",)


def test_ingest_refuses_by_default_and_records_what_a_reason_accepts(tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Author", "Jane Doe")
    Image.fromarray(GREY).save(tmp_path / "i.png", pnginfo=text)
    Image.fromarray((GREY > 40).astype(np.uint8) * 255).save(tmp_path / "l.png")
    plan = {
        "name": "d",
        "licence": "CC0",
        "source": "t",
        "root": ".",
        "cases": [{"id": "a", "subject": "s", "image": "i.png", "label": "l.png"}],
    }
    with pytest.raises(RefusedError, match="a: may identify a person: PNG text 'Author'"):
        ingest(Data.model_validate(plan), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists()
    accepting = Data.model_validate(plan | {"accept_identifiers": "the author consented"})
    assert ingest(accepting, tmp_path, tmp_path / "out").cases[0].identifiers == ("PNG text 'Author'",)
    with pytest.raises(RefusedError, match="may identify"):
        ingest(Data.model_validate(plan), tmp_path, tmp_path / "out")
