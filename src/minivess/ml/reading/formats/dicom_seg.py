"""DICOM segmentations (PS3.3 A.51): highdicom puts the frames of the segments into one label map.

A segmentation usually states only the planes it marks, so its array is laid on the image's grid by position
(`geometry.lay_on`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.deidentification import dicom_traces
from minivess.ml.reading.formats.dicom_file import SEGMENTATIONS, announced, facts_of, pixels_of, read_dataset, reading
from minivess.ml.reading.formats.ome import one_line
from minivess.ml.reading.geometry import check_affine, spacing_of
from minivess.ml.reading.volume import Limits, Volume, check_shape
from minivess.records.data.dataset import CodedTerm, LabelClass

_MOST_SEGMENTS = 255


def is_segmentation(path: Path, limits: Limits) -> bool:
    """Whether a DICOM file holds a segmentation."""
    dataset = read_dataset(path, limits)
    with reading(path):
        return str(dataset.get("SOPClassUID", "")) in SEGMENTATIONS


@implements("REQ-076", "REQ-078")
def read_segmentation(path: Path, limits: Limits) -> Volume:
    """Read a segmentation whose segments do not overlap; values are segment numbers.

    Raises:
        InputError: malformed, fractional, overlapping, without positions in the patient, or beyond the limits.
    """
    dataset = read_dataset(path, limits)
    with reading(path):
        rows, columns, frames, _ = announced(dataset, path, limits)
        kind = str(dataset.get("SegmentationType", ""))
        if kind not in ("BINARY", "LABELMAP"):
            raise InputError(
                f"a segmentation of type {kind[:20]!r}", path=path, hint="export binary segments or a label map"
            )
        if len(dataset.get("SegmentSequence") or ()) > _MOST_SEGMENTS:
            raise InputError(f"more than {_MOST_SEGMENTS} segments", path=path)
        pixels_of(dataset, path, limits)
        return _volume(dataset, (frames, rows, columns), path, limits)


def _volume(dataset: Any, announced_shape: tuple[int, int, int], path: Path, limits: Limits) -> Volume:
    import highdicom

    traces, facts = dicom_traces(dataset), facts_of(dataset)
    segmentation = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
    geometry = segmentation.get_volume_geometry(allow_missing_positions=True)
    if geometry is None:
        raise InputError("its frames are not in one volume", path=path, hint="export it on the image's grid")
    shape = tuple(int(n) for n in geometry.spatial_shape)
    check_shape(shape, path, limits)
    if shape[0] > limits.pages or shape[1:] != announced_shape[1:]:
        raise InputError(f"its frames are {shape} voxels apart", path=path, hint="export it on the image's grid")
    numbers = [int(number) for number in segmentation.segment_numbers if int(number) > 0]
    if not numbers or max(numbers) > _MOST_SEGMENTS:
        raise InputError("no segments, or numbers above 255", path=path)
    _check_referenced(dataset, numbers, path)
    try:
        volume = segmentation.get_volume(combine_segments=True, relabel=False)
    except RuntimeError as error:
        if "overlap" not in str(error).lower():
            raise
        raise contradiction(
            "mask-overlap", "segments overlap", path, "export one segment a file, or a label map"
        ) from None
    affine = np.array(volume.affine, dtype=np.float64)
    affine[:2] *= -1
    affine[:3] *= 1e3
    classes = tuple(_class_of(number, segmentation.get_segment_description(number)) for number in numbers)
    return Volume(
        np.asarray(volume.array, dtype=np.uint8),
        "zyx",
        "bool" if int(dataset.BitsAllocated) == 1 else f"uint{int(dataset.BitsAllocated)}",
        "DICOM-SEG",
        spacing=spacing_of(affine, 3),
        affine=check_affine(affine, path),
        facts=facts,
        placed=True,
        classes=classes,
        identifiers=traces.identifiers,
        notes=traces.risks,
    )


def _class_of(number: int, segment: Any) -> LabelClass:
    """Name, colour and coded type of a segment (PS3.3 C.8.20.4)."""
    from highdicom.color import CIELabColor

    lab, kind = segment.get("RecommendedDisplayCIELabValue"), segment.get("SegmentedPropertyTypeCodeSequence")
    colour = None
    if lab is not None and len(lab) == 3:
        colour = "#{:02x}{:02x}{:02x}".format(*CIELabColor.from_dicom_value(lab).to_rgb())
    return LabelClass(
        value=number,
        name=one_line(segment.segment_label) or "segment",
        colour=colour,
        code=None if not kind else _term(kind[0]),
    )


def _term(code: Any) -> CodedTerm | None:
    """A coded term; None where an attribute of it is missing or malformed."""
    stated = {
        "value": str(code.get("CodeValue", "")),
        "scheme": str(code.get("CodingSchemeDesignator", "")),
        "meaning": one_line(str(code.get("CodeMeaning", ""))),
    }
    try:
        return CodedTerm.model_validate(stated)
    except ValidationError:
        return None


@implements("REQ-286", "RC-128")
def _check_referenced(dataset: Any, numbers: list[int], path: Path) -> None:
    """Each frame of a binary segmentation must belong to a segment that is described, and each segment be described once.

    Raises:
        InputError: a frame of no segment, or a number that two segments have.
    """
    if len(set(numbers)) != len(numbers):
        raise contradiction("mask-undeclared", "two of its segments have one number", path, "export it again")
    if str(dataset.get("SegmentationType", "")) != "BINARY":
        return
    for holder in (*dataset.get("SharedFunctionalGroupsSequence", ()), *dataset.PerFrameFunctionalGroupsSequence):
        for item in holder.get("SegmentIdentificationSequence", ()):
            number = int(item.ReferencedSegmentNumber)
            if number not in numbers:
                raise contradiction(
                    "mask-undeclared",
                    f"a frame belongs to segment {number}, which is not described",
                    path,
                    "export it again",
                )
