"""Steps of dicom.feature: real series, reader, log and segmentations; only the network is a toy graph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import CouldNotCheckError, MinivessError
from minivess.records.dicom_report import DicomReport
from minivess.records.log.entry import Entry
from minivess.records.log.receipt import Receipt
from minivess.workflows.dicom.folder import segment_folder
from minivess.workflows.dicom.series import SeriesLimits, packed
from minivess.workflows.session.services import silent
from tests.features.serving.conftest import Story
from tests.support import projects
from tests.support.builders.specimens import UID, dicom_bytes, slice_of
from tests.support.servers import served, toy_models

scenarios("dicom.feature")

STEPS = (2.0, 1.0, 1.0)
MILLIMETRES = tuple(step / 1000 for step in STEPS)
FIRST, SECOND = f"{UID}.71", f"{UID}.72"


@pytest.fixture
def facts(tmp_path: Path) -> dict[str, Any]:
    """What the steps of one scenario share."""
    return {"in": tmp_path / "in", "out": tmp_path / "out", "limits": SeriesLimits()}


@given(parsers.parse("a service whose model takes {images}"))
def _served(story: Story, facts: dict[str, Any], images: str) -> None:
    service = story.start_service()
    facts["image"] = np.rint(service.volume()[0]).astype(np.uint16)
    if images == "colour pictures":
        service = story.stack.enter_context(toy_models.serving(service, toy_models.COLOUR_PICTURES))
    story.service = service
    facts["entries"] = len(service.entries())
    facts["in"].mkdir()


@given("a project whose model was exported and recorded")
def _project(story: Story, facts: dict[str, Any]) -> None:
    story.project = story.copy()
    facts["image"] = np.rint(served.known_volume(story.project)[0]).astype(np.uint16)
    facts["in"].mkdir()


def series(image: np.ndarray, uid: str, patient: str, **fields: Any) -> list[bytes]:
    """The files of a series, last slice first; it begins elsewhere than other patients' series."""
    start = 7.0 if patient.endswith("One") else 30.0
    slices = [
        slice_of(
            start + number * MILLIMETRES[0],
            plane,
            number=number + 1,
            series=uid,
            PixelSpacing=list(MILLIMETRES[1:]),
            PatientName=patient,
            PatientID=f"ID-{patient}",
            **fields,
        )
        for number, plane in enumerate(image)
    ]
    return [dicom_bytes(one) for one in reversed(slices)]


def lay(folder: Path, files: list[bytes], name: str) -> None:
    """Write files into two folders in turns."""
    for number, data in enumerate(files):
        place = folder / f"export-{number % 2}"
        place.mkdir(exist_ok=True)
        (place / f"{name}{number:03d}").write_bytes(data)


@given("a folder with two series that the model takes, mixed in its folders")
def _two(facts: dict[str, Any]) -> None:
    image = facts["image"]
    facts["series"] = {FIRST: series(image, FIRST, "Doe^One"), SECOND: series(image[:, ::-1], SECOND, "Roe^Two")}
    for name, files in zip("ba", facts["series"].values(), strict=True):
        lay(facts["in"], files, name)


@given("in it a series with a missing slice, one outside the intended use, a report without pixels and a text file")
def _others(facts: dict[str, Any]) -> None:
    image, folder = facts["image"], facts["in"]
    whole = series(image, f"{UID}.73", "Doe^Three")
    lay(folder, whole[:3] + whole[4:], "c")
    lay(folder, series(np.full_like(image, 40), f"{UID}.74", "Doe^Four"), "d")
    report = slice_of(0.0, image[0], series=f"{UID}.75")
    del report.PixelData
    lay(folder, [dicom_bytes(report)], "e")
    (folder / "damaged").write_bytes(whole[0][:150])
    (folder / "readme.txt").write_text("hello", encoding="utf-8")


@given("a folder with a series without contrast")
def _flat(facts: dict[str, Any]) -> None:
    lay(facts["in"], series(np.full_like(facts["image"], 40), FIRST, "Doe^One"), "a")


@given("an output folder with a file")
def _full_output(facts: dict[str, Any]) -> None:
    _flat(facts)
    facts["out"].mkdir()
    (facts["out"] / "report.json").write_text("{}", encoding="utf-8")


@given("a folder with too many files")
def _too_many(facts: dict[str, Any]) -> None:
    _flat(facts)
    facts["limits"] = SeriesLimits(files=3)


@given("a folder with links to a series elsewhere")
def _links(facts: dict[str, Any], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lay(elsewhere, series(facts["image"], FIRST, "Doe^One"), "a")
    (facts["in"] / "folder").symlink_to(elsewhere)
    (facts["in"] / "file").symlink_to(elsewhere / "export-0" / "a000")


@given("the serving log can no longer be written")
def _broken(story: Story) -> None:
    story.running.break_log()


@when("the folder is segmented")
def _segment(story: Story, facts: dict[str, Any]) -> None:
    engine = story.running.engine
    try:
        facts["report"] = segment_folder(engine, facts["in"], facts["out"], limits=facts["limits"], progress=silent)
    except MinivessError as error:
        facts["error"] = error


def results(facts: dict[str, Any]) -> dict[str, Any]:
    """The results by series, as the file states them."""
    written = DicomReport.model_validate_json((facts["out"] / "report.json").read_text(encoding="utf-8"))
    assert written == facts["report"]
    return {one.series_instance_uid: one for one in written.series}


def segmentation(facts: dict[str, Any], uid: str) -> Any:
    """The segmentation of a series, whose digest the report has."""
    import pydicom

    one = results(facts)[uid]
    path = facts["out"] / one.folder / "segmentation.dcm"
    assert digest_bytes(path.read_bytes()) == one.segmentation
    return pydicom.dcmread(path)


@then("the two series have a segmentation with their own patient, on their own slices")
def _own(story: Story, facts: dict[str, Any]) -> None:
    found = {}
    for uid, patient, start in ((FIRST, "Doe^One", 7.0), (SECOND, "Roe^Two", 30.0)):
        made = segmentation(facts, uid)
        assert (made.PatientName, made.PatientID) == (patient, f"ID-{patient}")
        assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == uid
        planes = {
            round((float(frame.PlanePositionSequence[0].ImagePositionPatient[2]) - start) / MILLIMETRES[0]): plane
            for frame, plane in zip(made.PerFrameFunctionalGroupsSequence, made.pixel_array, strict=True)
        }
        assert sorted(planes) == list(range(len(facts["image"])))
        found[uid] = np.stack([planes[number] for number in sorted(planes)]) > 0
    sent = story.running.send(facts["image"].astype(np.float32), STEPS).json()
    mask = served.unpack_mask(sent["mask"]) > 0
    assert mask.any()
    assert np.array_equal(found[FIRST], mask)
    assert not np.array_equal(found[SECOND], mask)


@then("the report names each other series as refused with the reason")
def _reasons(facts: dict[str, Any]) -> None:
    found = results(facts)
    assert len(found) == 5
    reasons = {uid.removeprefix(UID): " ".join(one.reasons) for uid, one in found.items() if one.decision == "refused"}
    assert sorted(reasons) == [".73", ".74", ".75"]
    assert "slices are missing" in reasons[".73"]
    assert "contrast" in reasons[".74"]
    assert "PixelData" in reasons[".75"] or "pixels" in reasons[".75"]
    assert not facts["report"].all_answered


@then("the report has a damaged file, and counts the text file")
def _files(facts: dict[str, Any]) -> None:
    (unread,) = facts["report"].unreadable
    assert unread.file == "damaged"
    assert unread.reason
    assert facts["report"].other_files == 1


@then("each segmentation has a receipt of an entry that names its mask and its source")
def _receipts(story: Story, facts: dict[str, Any]) -> None:
    for uid, one in results(facts).items():
        text = (facts["out"] / one.folder / "receipt.json").read_text(encoding="utf-8")
        receipt = Receipt.model_validate_json(text)
        body = Entry.model_validate_json(receipt.entry).body
        assert (receipt.index, body.action) == (one.entry, "inference")
        archive, _ = packed(sorted_like_folder(facts["series"][uid]))
        assert {one.source, digest_bytes(archive)} == {
            artifact.digest for artifact in body.inputs if artifact.name == f"requests/{one.request}"
        }
        assert one.mask_digest in {artifact.digest for artifact in body.outputs}
        assert story.running.engine.receipt(receipt.index).entry == receipt.entry


def sorted_like_folder(files: list[bytes]) -> list[bytes]:
    """The files in order of the paths that `lay` gave them."""
    return files[0::2] + files[1::2]


@then("the entries have no name, number or UID of patient or series")
def _no_identity(story: Story, facts: dict[str, Any]) -> None:
    log = story.running.serving.services.log
    new = story.running.entries()[facts["entries"] :]
    assert len(new) == 2
    for entry in new:
        details = log.details(entry.body.index)
        text = entry.model_dump_json() + ("" if details is None else details.model_dump_json())
        assert not [word for word in ("Doe", "Roe", "ID-", UID, "export-0", str(facts["in"])) if word in text]


@then("segmentations and reports are readable for their user alone")
def _private(facts: dict[str, Any]) -> None:
    files = [path for path in facts["out"].rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@then("the series is refused with a receipt, and has no segmentation")
def _refused(story: Story, facts: dict[str, Any]) -> None:
    (one,) = results(facts).values()
    assert one.decision == "refused"
    folder = facts["out"] / one.folder
    assert [path.name for path in folder.iterdir()] == ["receipt.json"]
    entry = story.running.serving.services.log.entry(one.entry)
    assert entry.body.outcome.value == "refused"


@then(parsers.parse("it is refused because {why}"))
def _why(facts: dict[str, Any], why: str) -> None:
    assert why in facts["error"].message


@then("no answer is in the log")
def _none(story: Story, facts: dict[str, Any]) -> None:
    assert len(story.running.entries()) == facts["entries"]


@then("the report has no series")
def _no_series(facts: dict[str, Any]) -> None:
    assert results(facts) == {}
    assert not facts["report"].all_answered


@then("the work stops, and the output has no segmentation")
def _stopped(facts: dict[str, Any]) -> None:
    assert isinstance(facts["error"], CouldNotCheckError)
    assert [path.name for path in facts["out"].iterdir()] == ["report.json"]


@then("the report says that it is not complete")
def _incomplete(facts: dict[str, Any]) -> None:
    assert json.loads((facts["out"] / "report.json").read_text(encoding="utf-8"))["complete"] is False


@pytest.fixture
def run(
    story: Story, facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, DicomReport]]:
    """Run the command, into an output folder that is removed before."""

    def run() -> tuple[int, DicomReport]:
        assert story.project is not None
        for who in ("LOG", "INFERENCE"):
            monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
        shutil.rmtree(facts["out"], ignore_errors=True)
        capsys.readouterr()
        root = str(story.project.workspace.root)
        command = ["-C", root, "dicom", "segment", str(facts["in"]), str(facts["out"]), "--json"]
        code = app(command, standalone_mode=False) or 0
        return code, DicomReport.model_validate_json(capsys.readouterr().out)

    return run


@when("`minivess dicom segment` is run on it")
def _command(facts: dict[str, Any], run: Callable[[], tuple[int, DicomReport]]) -> None:
    facts["ran"] = run()


@then("it ends with exit code 0 and prints the report")
def _code(facts: dict[str, Any]) -> None:
    code, facts["report"] = facts["ran"]
    assert (code, facts["report"].all_answered, len(facts["report"].series)) == (0, True, 2)
    assert sorted(results(facts)) == [FIRST, SECOND]


@then("it ends with exit code 1 when one of the series is refused")
def _code_refused(facts: dict[str, Any], run: Callable[[], tuple[int, DicomReport]]) -> None:
    lay(facts["in"], series(np.full_like(facts["image"], 40), f"{UID}.74", "Doe^Four"), "d")
    code, report = run()
    assert (code, [one.decision for one in report.series].count("answered")) == (1, 2)
