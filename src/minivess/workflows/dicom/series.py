"""Answer one DICOM series on the record, with a DICOM segmentation.

The series goes the way of an image that is sent to the service: the same readers, the same bounds, the same entry.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

import numpy as np

from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.implements import implements
from minivess.records.dicom_report import SegmentedClassShare, SeriesResult
from minivess.records.log.receipt import Receipt
from minivess.records.log.serving_log import RefusalReason
from minivess.workflows.serving.answers import Answer
from minivess.workflows.serving.images import MaskEncoder, RequestImage, check_mask_format, read_image
from minivess.workflows.serving.inference import InferenceService, mask_digest

FORMAT = "dicom-seg"
_MIB = 1 << 20


@dataclass(frozen=True)
class SeriesLimits:
    """How much of a series is taken.

    Attributes:
        files: most files of a folder.
        series_bytes: all files of one series together.
        voxels: of one series.
    """

    files: int = 20_000
    series_bytes: int = 256 * _MIB
    voxels: int = 128 * _MIB


@dataclass(frozen=True)
class AnsweredSeries:
    """What became of a series, with the bytes of its DICOM segmentation and its receipt where it has them."""

    result: SeriesResult
    segmentation: bytes | None = None
    receipt: Receipt | None = None


def check_volumes(engine: InferenceService) -> None:
    """Refuse a model that a DICOM segmentation of a series cannot show.

    Raises:
        UsageError: the model is for pictures.
    """
    if len(engine.model.task.axes) != 3:
        raise UsageError(
            "the model is for pictures, and a DICOM segmentation shows volumes",
            hint="`minivess serve` answers pictures",
        )


@implements("REQ-475", "REQ-476", "RC-197")
def answer_series(
    engine: InferenceService, files: Iterable[bytes], *, number: int, uid: str, limits: SeriesLimits
) -> AnsweredSeries:
    """Segment one series, or refuse it, and record which. What cannot be read is counted, as the service counts it.

    Args:
        engine: answers images on the record.
        files: of the series.
        number: of the series among those of one call, from 1.
        uid: its Series Instance UID.
        limits: how much is taken.

    Raises:
        CouldNotCheckError: the log cannot be written, so there is no answer.
    """
    source, count = packed(files)
    digest = digest_bytes(source)
    about = {"number": number, "series_instance_uid": uid, "files": count, "source": digest}
    try:
        image = _image_of(engine, source, limits)
    except (InputError, UsageError) as error:
        engine.turn_away(RefusalReason.VOLUME)
        return AnsweredSeries(SeriesResult(decision="refused", reasons=(error.message,), **about))
    name = uuid4().hex
    answer = _answer(engine, image, name, digest)
    about["request"] = name
    if answer.receipt is not None:
        about["entry"] = answer.receipt.index
    if answer.mask is None or answer.receipt is None:
        return AnsweredSeries(SeriesResult(decision="refused", reasons=answer.reasons, **about), receipt=answer.receipt)
    segmentation = base64.b64decode(MaskEncoder(FORMAT, image, engine.model)(answer.mask))
    shares = tuple(
        SegmentedClassShare(
            value=one.label.value,
            name=one.label.name,
            voxels=int(np.count_nonzero(answer.mask == one.label.value)),
            foreground_fraction=one.foreground_fraction,
        )
        for one in answer.classes
    )
    result = SeriesResult(
        decision="answered",
        mask_digest=mask_digest(answer.mask),
        segmentation=digest_bytes(segmentation),
        classes=shares,
        **about,
    )
    return AnsweredSeries(result, segmentation, answer.receipt)


def _image_of(engine: InferenceService, source: bytes, limits: SeriesLimits) -> RequestImage:
    """The volume of a series, which a segmentation can be laid on.

    Raises:
        InputError, UsageError: it cannot be read, or has no size.
    """
    task = engine.model.task
    image = read_image(source, None, task, most_bytes=limits.series_bytes, most_voxels=limits.voxels)
    if image.spacing is None and engine.model.intended_use.unit != "px":
        raise InputError("the series states no spacing", rule="spacing-unknown")
    check_mask_format(FORMAT, image, task)
    return image


def _answer(engine: InferenceService, image: RequestImage, name: str, digest: str) -> Answer:
    """As the service answers; what fails is counted."""
    try:
        return engine.answer(image.array, image.spacing, name, source=digest)
    except Exception as error:
        engine.count_failure(error)
        raise


def packed(files: Iterable[bytes]) -> tuple[bytes, int]:
    """Files as one zip archive without compression, and their number. Equal files make equal bytes."""
    stream, count = io.BytesIO(), 0
    with zipfile.ZipFile(stream, "w", compression=zipfile.ZIP_STORED) as archive:
        for number, data in enumerate(files):
            archive.writestr(zipfile.ZipInfo(f"{number:06d}.dcm"), data)
            count = number + 1
    return stream.getvalue(), count
