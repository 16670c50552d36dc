"""A mask as DICOM Segmentation (PS3.3 A.51), written by highdicom.

Patient, study and frame of reference are those of the images that were segmented. One segment a class, in order of value.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError, UsageError
from minivess.foundation.reading.zip_guard import read_zip
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

_NEAR = 0.05
"""Largest distance between the position of a slice and its plane in the mask, in planes."""
_OTHERS = "ask for nifti, tiff or npy"


def write(mask: PlacedMask) -> MaskFile:
    """A segmentation with one binary segment a class.

    Raises:
        UsageError: the image was no DICOM series.
        InputError: a slice is not on the grid of the mask.
    """
    if mask.values.ndim != 3:
        raise UsageError("DICOM-SEG holds the mask of a series, and this is a picture", hint=_OTHERS)
    import highdicom
    from highdicom.seg import Segmentation

    logging.getLogger("highdicom").setLevel(logging.CRITICAL)  # it names the images by their UIDs
    images, planes = sources_of(mask.source, mask.affine, len(mask.values))
    numbered = np.zeros(mask.values.shape, np.uint8)
    for number, one in enumerate(mask.classes, start=1):
        numbered[mask.values == one.value] = number
    device, version = mask.made_by
    with warnings.catch_warnings():  # highdicom's and pydicom's quote the names of patients
        warnings.simplefilter("ignore")
        made = Segmentation(
            images,
            numbered[planes],
            "BINARY",
            [_description(number, one, device, version) for number, one in enumerate(mask.classes, start=1)],
            series_instance_uid=highdicom.UID(),
            series_number=1000,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="MiniVess",
            manufacturer_model_name=device[:64],
            software_versions=version[:64],
            device_serial_number="none",
            omit_empty_frames=False,
            content_label="SEGMENTATION",
        )
        stream = io.BytesIO()
        made.save_as(stream)
    return MaskFile(stream.getvalue(), "application/dicom", ".dcm")


def sources_of(source: bytes, affine: NDArray[np.float64] | None, planes: int) -> tuple[list[Any], list[int]]:
    """The images that a segmentation refers to, and which plane of the mask each is.

    Args:
        source: a DICOM file, or a zip archive with the files of a series.
        affine: from indices (z, y, x, 1) of the mask to right-anterior-superior micrometres.
        planes: of the mask.

    Raises:
        UsageError: the image was no DICOM series.
        InputError: a slice is not on the grid of the mask.
    """
    if affine is None or not source:
        raise UsageError("DICOM-SEG refers to DICOM images, and the image was none", hint=_OTHERS)
    images = _images(source)
    return images, _planes(images, affine, planes)


def _images(source: bytes) -> list[Any]:
    """The data sets of the images; what is no image is left out.

    Raises:
        UsageError: there is none.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    packed = source.startswith(b"PK\x03\x04")
    files = read_zip(source, "the archive").values() if packed else [source]
    found = []
    for data in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = pydicom.dcmread(io.BytesIO(data))
        except InvalidDicomError:
            continue
        if "PixelData" in one and "ImagePositionPatient" in one:
            found.append(one)
    if not found:
        raise UsageError("DICOM-SEG refers to DICOM images, and the image was none", hint=_OTHERS)
    return found


def _planes(images: Sequence[Any], affine: NDArray[np.float64], count: int) -> list[int]:
    """Which plane of the mask each image is.

    Raises:
        InputError: a slice is not where a plane of the mask is.
    """
    inverse = np.linalg.inv(affine)
    planes = []
    for one in images:
        left, posterior, superior = (float(value) for value in one.ImagePositionPatient)
        place = float((inverse @ [-1e3 * left, -1e3 * posterior, 1e3 * superior, 1.0])[0])
        if abs(place - round(place)) > _NEAR or not 0 <= round(place) < count:
            raise InputError("a slice of the series is not on the grid of the mask")
        planes.append(round(place))
    return planes


def _description(number: int, one: Any, device: str, version: str) -> Any:
    from highdicom.content import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription
    from highdicom.sr.coding import CodedConcept

    kind = (
        CodedConcept(f"CLASS-{one.value}", "99MINIVESS", one.name[:64])
        if one.code is None
        else CodedConcept(one.code.value, one.code.scheme, one.code.meaning)
    )
    return SegmentDescription(
        segment_number=number,
        segment_label=one.name[:64],
        segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=device[:64],
            family=CodedConcept("123109", "DCM", "Artificial Intelligence"),
            version=version[:64],
        ),
    )
