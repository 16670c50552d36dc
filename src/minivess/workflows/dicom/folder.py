"""Answer each series of a folder: DICOM segmentations, receipts and one report in another folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.files import make_folder, read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.dicom_report import DicomReport, SeriesResult, UnreadableFile
from minivess.records.log.serving_log import RefusalReason
from minivess.records.sinks import Progress
from minivess.workflows.dicom.series import AnsweredSeries, SeriesLimits, answer_series, check_volumes
from minivess.workflows.serving.inference import InferenceService

if TYPE_CHECKING:
    from minivess.ml.reading.formats.dicom_folder import Series

REPORT, SEGMENTATION, RECEIPT = "report.json", "segmentation.dcm", "receipt.json"
_PRIVATE = 0o600
"""Segmentations, receipts and reports name patients or series: they are readable for their user alone."""


@implements("REQ-475", "REQ-476", "RC-197")
def segment_folder(
    engine: InferenceService, folder: Path, out: Path, *, limits: SeriesLimits, progress: Progress
) -> DicomReport:
    """Segment each series below a folder.

    `out` has a folder for each series with its segmentation and its receipt, and `report.json`. The report is written anew
    after each series, so that it is true when the work is interrupted.

    Args:
        engine: answers images on the record.
        folder: with DICOM files, of any names and in any folders below.
        out: new or empty.
        limits: how much is taken.
        progress: hears how far the work has come.

    Raises:
        UsageError: the model is for pictures, or `out` has files.
        InputError: `folder` is none, or has too many files.
        CouldNotCheckError: the log or `out` cannot be written.
    """
    from minivess.ml.reading.formats.dicom_folder import series_in
    from minivess.ml.reading.volume import Limits

    check_volumes(engine)
    found = series_in(folder, Limits(file_bytes=limits.series_bytes, pages=limits.files))
    make_folder(out)
    if next(out.iterdir(), None) is not None:
        raise UsageError("the output folder has files", hint="name a new or an empty folder")
    model = engine.model
    report = DicomReport(
        device=model.device,
        version=model.version,
        model=model.digest,
        complete=not found.series,
        unreadable=tuple(
            UnreadableFile(file=path.relative_to(folder).as_posix(), reason=reason) for path, reason in found.unreadable
        ),
        other_files=found.others,
    )
    write_report(out, report)
    for number, series in enumerate(found.series, start=1):
        progress("series", number - 1, len(found.series))
        result = write_series(out, _answered(engine, series, number, limits))
        report = report.model_copy(update={"series": (*report.series, result), "complete": number == len(found.series)})
        write_report(out, report)
    progress("series", len(found.series), len(found.series))
    return report


def _answered(engine: InferenceService, series: Series, number: int, limits: SeriesLimits) -> AnsweredSeries:
    """One series of the folder; it is refused and counted when its files are too large or cannot be read any more."""
    data: list[bytes] = []
    left = limits.series_bytes
    try:
        for path in series.files:
            data.append(read_limited(path, limit=left))
            left -= len(data[-1])
    except InputError:
        engine.turn_away(RefusalReason.TOO_LARGE)
        reason = f"its files cannot be read, or have more than the {limits.series_bytes} bytes taken"
        about = {"number": number, "series_instance_uid": series.uid, "files": len(series.files)}
        return AnsweredSeries(SeriesResult(decision="refused", reasons=(reason,), **about))
    return answer_series(engine, data, number=number, uid=series.uid, limits=limits)


def write_series(out: Path, answered: AnsweredSeries) -> SeriesResult:
    """Write what there is of a series, and say where; nothing is written of a series that has no receipt.

    Raises:
        CannotWriteError: a file cannot be written.
    """
    if answered.receipt is None:
        return answered.result
    name = f"series-{answered.result.number:03d}"
    place = out / name
    make_folder(place)
    write_atomic(place / RECEIPT, _text(answered.receipt), mode=_PRIVATE)
    if answered.segmentation is not None:
        write_atomic(place / SEGMENTATION, answered.segmentation, mode=_PRIVATE)
    return answered.result.model_copy(update={"folder": name})


def write_report(out: Path, report: DicomReport) -> None:
    """Write the report in place of the one before.

    Raises:
        CannotWriteError: it cannot be written.
    """
    write_atomic(out / REPORT, _text(report), mode=_PRIVATE)


def _text(record: Record) -> bytes:
    return (record.model_dump_json(indent=2, exclude_none=True) + "\n").encode("utf-8")
