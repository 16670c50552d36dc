"""Series from the network: answered as those of a folder, into a folder for each delivery, and sent on where a peer is named."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.files import make_folder
from minivess.foundation.implements import implements
from minivess.records.dicom_report import DicomReport, SeriesResult
from minivess.workflows.dicom.folder import write_report, write_series
from minivess.workflows.dicom.series import SeriesLimits, answer_series, check_volumes
from minivess.workflows.serving.inference import InferenceService

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_SECONDS = 60


class ReceivedSeries(NamedTuple):
    """The files of one series as they came."""

    uid: str
    files: tuple[bytes, ...]


@dataclass(frozen=True)
class Peer:
    """An application entity that segmentations are sent to."""

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read `TITLE@host:port`.

        Raises:
            UsageError: it is not of that form.
        """
        title, _, address = text.partition("@")
        host, _, port = address.rpartition(":")
        if not (title and host and port.isdecimal() and 0 < int(port) < 1 << 16 and len(title) <= 16):
            raise UsageError("a peer is written TITLE@host:port", hint="for example --peer PACS@127.0.0.1:11113")
        return cls(title, host, int(port))

    def send(self, segmentation: bytes, title: str) -> bool:
        """Send a segmentation by C-STORE; returns whether the peer took it.

        Args:
            segmentation: a DICOM file.
            title: of this application entity.
        """
        import pydicom
        from pynetdicom import AE

        entity = AE(ae_title=title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = _SECONDS
        entity.add_requested_context(_SEGMENTATION)
        link = entity.associate(self.host, self.port, ae_title=self.title)
        if not link.is_established:
            return False
        try:
            status = link.send_c_store(pydicom.dcmread(io.BytesIO(segmentation)))
        except (ValueError, RuntimeError):  # the peer takes no segmentations
            return False
        finally:
            link.release()
        return int(getattr(status, "Status", 0xFFFF)) == 0


@implements("REQ-479", "RC-197")
class Deliveries:
    """Answers what was received: `delivery-000001` and so on, each with its segmentations, receipts and report.

    Args:
        engine: answers images on the record.
        out: gets a folder for each delivery; those that are there stay.
        title: of this application entity.
        peer: gets the segmentations as well; None: files alone.
        limits: how much is taken of a series.

    Raises:
        UsageError: the model is for pictures.
    """

    def __init__(
        self,
        engine: InferenceService,
        out: Path,
        *,
        title: str,
        peer: Peer | None = None,
        limits: SeriesLimits | None = None,
    ) -> None:
        check_volumes(engine)
        self._engine = engine
        self._out = out
        self._title = title
        self._peer = peer
        self._limits = limits or SeriesLimits()
        self._names = self._free_names()

    def answer(self, received: Sequence[ReceivedSeries]) -> DicomReport:
        """Answer the series of one delivery. One that cannot be recorded is refused, and has no segmentation.

        Raises:
            CannotWriteError: a file cannot be written.
        """
        out = next(self._names)
        make_folder(out)
        model = self._engine.model
        report = DicomReport(device=model.device, version=model.version, model=model.digest, complete=not received)
        write_report(out, report)
        for number, one in enumerate(received, start=1):
            result = self._answered(out, one, number)
            report = report.model_copy(update={"series": (*report.series, result), "complete": number == len(received)})
            write_report(out, report)
        return report

    def _answered(self, out: Path, one: ReceivedSeries, number: int) -> SeriesResult:
        try:
            answered = answer_series(self._engine, one.files, number=number, uid=one.uid, limits=self._limits)
        except CouldNotCheckError:
            return SeriesResult(
                number=number,
                series_instance_uid=one.uid,
                files=len(one.files),
                decision="refused",
                reasons=("the answer cannot be recorded",),
            )
        result = write_series(out, answered)
        if self._peer is None or answered.segmentation is None:
            return result
        return result.model_copy(update={"sent": self._peer.send(answered.segmentation, self._title)})

    def _free_names(self) -> Iterator[Path]:
        """Folders that are not there yet."""
        for number in count(1):
            if not (path := self._out / f"delivery-{number:06d}").exists():
                yield path
