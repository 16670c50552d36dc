"""Steps of dicom_listener.feature: real associations on loopback, reader, log and segmentations; a toy graph."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from minivess.cli.main import app
from minivess.foundation.errors import UsageError
from minivess.records.dicom_report import DicomReport
from minivess.records.log.serving_log import RefusalReason
from minivess.workflows.dicom.received import Deliveries, Peer
from minivess.workflows.dicom.series import SeriesLimits
from tests.features.serving.conftest import Story
from tests.features.serving.test_dicom import FIRST, SECOND, series
from tests.support import projects
from tests.support.builders.specimens import UID, dicom_bytes, slice_of
from tests.support.lazy_modules import lazily

with lazily("minivess.serving.dicom.listener"):
    from minivess.serving.dicom import listener as listening

scenarios("dicom_listener.feature")

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Found:
    """What the steps of one scenario share."""

    out: Path
    image: np.ndarray = field(default_factory=lambda: np.zeros(0))
    entries: int = 0
    peer: Peer | None = None
    taken: list[Any] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    refused: bool = False
    listener: Any = None
    error: UsageError | None = None


@pytest.fixture
def found(tmp_path: Path) -> Found:
    return Found(tmp_path / "out")


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """The levels of the loggers that a listener silences are those of before afterwards."""
    before = {name: logging.getLogger(name).level for name in ("pynetdicom", "pydicom")}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@given("a listener for the sender PACS, with a service whose model takes grey volumes")
def _served(story: Story, found: Found) -> None:
    story.service = story.start_service()
    found.image = np.rint(story.service.volume()[0]).astype(np.uint16)
    found.entries = len(story.service.entries())


@given("a project whose model was exported and recorded")
def _project(story: Story) -> None:
    story.project = story.copy()


@given("the serving log can no longer be written")
def _broken(story: Story) -> None:
    story.running.break_log()


@given("a peer that takes segmentations")
def _peer(story: Story, found: Found) -> None:
    from pynetdicom import AE, evt

    def store(event: Any) -> int:
        found.taken.append(event.dataset)
        return 0

    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context("1.2.840.10008.5.1.4.1.1.66.4")
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    story.stack.callback(server.shutdown)
    found.peer = Peer("ARCHIVE", "127.0.0.1", server.server_address[1])


def listen(story: Story, found: Found, *, limits: SeriesLimits | None = None) -> Any:
    """A running listener."""
    engine = story.running.engine
    settings = listening.ListenerSettings(
        "MINIVESS", frozenset({"PACS"}), port=0, seconds=20, limits=limits or SeriesLimits()
    )
    deliveries = Deliveries(engine, found.out, title="MINIVESS", peer=found.peer)
    found.listener = listening.Listener(settings, deliveries.answer, lambda: engine.turn_away(RefusalReason.HUNG_UP))
    found.listener.start()
    return found.listener


def associate(found: Found, *, sender: str = "PACS", called: str = "MINIVESS") -> Any:
    """An association of a sender."""
    from pynetdicom import AE

    entity = AE(ae_title=sender)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.add_requested_context(CT, "1.2.840.10008.1.2.1")
    entity.add_requested_context("1.2.840.10008.1.1")
    return entity.associate("127.0.0.1", found.listener.port, ae_title=called)


def send(link: Any, files: list[bytes]) -> list[int]:
    """The statuses with which images are taken."""
    import pydicom

    return [int(link.send_c_store(pydicom.dcmread(io.BytesIO(data))).Status) for data in files]


@when("PACS sends two series of two patients in one association")
def _send(story: Story, found: Found, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    listen(story, found)
    link = associate(found)
    assert link.is_established
    first, second = series(found.image, FIRST, "Doe^One"), series(found.image[:, ::-1], SECOND, "Roe^Two")
    mixed = [one for both in zip(first, second, strict=True) for one in both]
    assert set(send(link, mixed)) == {0}
    assert not found.out.exists()
    caplog.clear()  # what the sender itself wrote
    link.release()
    found.listener.stop()


def report(found: Found) -> DicomReport:
    """The report of the only delivery."""
    (folder,) = found.out.iterdir()
    return DicomReport.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))


@then("each has a segmentation with its own patient, a receipt and its line in the report")
def _answered(story: Story, found: Found) -> None:
    import pydicom

    (folder,) = found.out.iterdir()
    made = report(found)
    assert made.all_answered
    assert {one.series_instance_uid for one in made.series} == {FIRST, SECOND}
    for one, patient in zip(made.series, ("Doe^One", "Roe^Two"), strict=True):
        segmentation = pydicom.dcmread(folder / str(one.folder) / "segmentation.dcm")
        assert (segmentation.PatientName, segmentation.PatientID) == (patient, f"ID-{patient}")
        assert segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID == one.series_instance_uid
        assert (folder / str(one.folder) / "receipt.json").is_file()
    assert len(story.running.entries()) == found.entries + 2


@then("the log and the messages have no name, number or UID of patient or series")
def _silent(story: Story, found: Found, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    told = capfd.readouterr()
    log = story.running.serving.services.log
    lines = [entry.model_dump_json() for entry in story.running.entries()[found.entries :]]
    lines += [str(log.details(entry.body.index)) for entry in story.running.entries()[found.entries :]]
    for text in (told.out, told.err, caplog.text, *lines):
        assert not [word for word in ("Doe", "Roe", "ID-", UID) if word in text]


@then("the peer has both segmentations, and the report says so")
def _sent(found: Found) -> None:
    made = report(found)
    assert [one.sent for one in made.series] == [True, True]
    assert [str(one.PatientName) for one in found.taken] == ["Doe^One", "Roe^Two"]
    assert {one.SOPClassUID for one in found.taken} == {"1.2.840.10008.5.1.4.1.1.66.4"}


@when("OTHER asks for an association")
def _stranger(story: Story, found: Found) -> None:
    listen(story, found)
    found.refused = associate(found, sender="OTHER").is_rejected


@when("PACS asks for an association with another title")
def _title(story: Story, found: Found) -> None:
    listen(story, found)
    found.refused = associate(found, called="OTHER").is_rejected


def _too_much(story: Story, found: Found, limits: SeriesLimits) -> None:
    listen(story, found, limits=limits)
    link = associate(found)
    statuses = send(link, series(found.image, FIRST, "Doe^One"))
    found.refused = 0xA700 in statuses and statuses[0] == 0
    link.release()


@when("PACS sends more bytes than are taken")
def _bytes(story: Story, found: Found) -> None:
    _too_much(story, found, SeriesLimits(series_bytes=3 * found.image[0].nbytes))


@when("PACS sends more files than are taken")
def _files(story: Story, found: Found) -> None:
    _too_much(story, found, SeriesLimits(files=3))


@when("PACS sends an image without a series")
def _no_series(story: Story, found: Found) -> None:
    listen(story, found)
    link = associate(found)
    image = slice_of(0.0, found.image[0])
    del image.SeriesInstanceUID
    found.refused = send(link, [dicom_bytes(image)]) == [0xC000]
    link.release()


@when("PACS aborts the association after some images")
def _abort(story: Story, found: Found) -> None:
    listen(story, found)
    link = associate(found)
    assert set(send(link, series(found.image, FIRST, "Doe^One")[:4])) == {0}
    link.abort()
    found.refused = True


@then("it is refused")
def _refused(found: Found) -> None:
    assert found.refused
    found.listener.stop()


@then("there is no delivery and no answer in the log")
def _nothing(story: Story, found: Found) -> None:
    assert not found.out.exists()
    assert len(story.running.entries()) == found.entries


@when("PACS asks by C-ECHO")
def _echo(story: Story, found: Found) -> None:
    listen(story, found)
    link = associate(found)
    found.statuses = [int(link.send_c_echo().Status)]
    link.release()
    found.listener.stop()


@then("it answers")
def _there(found: Found) -> None:
    assert found.statuses == [0]


@then("the report has both as refused, because they cannot be recorded")
def _unrecorded(found: Found) -> None:
    made = report(found)
    assert [(one.decision, one.reasons) for one in made.series] == [("refused", ("the answer cannot be recorded",))] * 2
    (folder,) = found.out.iterdir()
    assert [path.name for path in folder.iterdir()] == ["report.json"]


HOW = {
    "without a sender": [],
    "on all addresses": ["--allow", "PACS", "--host", "0.0.0.0"],  # noqa: S104
    "with a title of 17 letters": ["--allow", "PACS", "--title", "M" * 17],
    "with a peer without a port": ["--allow", "PACS", "--peer", "PACS@here"],
}


@when(parsers.parse("`minivess dicom listen` is run {how}"))
def _command(story: Story, found: Found, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert story.project is not None
    for who in ("LOG", "INFERENCE"):
        monkeypatch.setenv(f"MINIVESS_PASSPHRASE_{who}", projects.PASSPHRASE)
    with pytest.raises(UsageError) as caught:
        app(
            ["-C", str(story.project.workspace.root), "dicom", "listen", str(found.out), *HOW[how]],
            standalone_mode=False,
        )
    found.error = caught.value


@then(parsers.parse('it is refused with a hint that has "{hint}"'))
def _hint(found: Found, hint: str) -> None:
    assert found.error is not None
    assert hint in found.error.hint
