"""A DICOM series (PS3.3): slices of one series in files, or the frames of one file, put in order by where they lie.

Slices are sorted by position along their common normal, must be equally far apart, and must not be sheared against each
other (a tilted gantry). World coordinates are left-posterior-superior millimetres there and right-anterior-superior
micrometres here; the first array axis runs along the normal.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.deidentification import Traces, dicom_traces
from minivess.ml.reading.formats.dicom_file import (
    SEGMENTATIONS,
    announced,
    doubts_of,
    facts_of,
    is_dicom,
    pixels_of,
    read_dataset,
    reading,
)
from minivess.ml.reading.formats.dose_grid import dose_scale, frame_positions, is_dose
from minivess.ml.reading.geometry import Affine, check_affine, from_xyz, spacing_of
from minivess.ml.reading.volume import Facts, Limits, Volume, check_shape
from minivess.records.data.dataset import Axes, Doubt

_SUFFIXES = (".dcm", ".dicom", ".ima")
_MICROMETRES = 1e3
_APART = 0.01
"""Slices may differ in distance by 1 % of it."""
_NAMED = 4
_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "IssuerOfPatientID")
"""Attributes that files of one series share where they state them; a blank one was de-identified."""
_SHARED = (
    *("StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "Modality"),
    *("PhotometricInterpretation", "RescaleType", "Units"),
)
"""Attributes that all files of one series share (PS3.3, A.1.2 and C.7.4.1; units of values: C.11.1, C.8.9.1)."""
_CHANGED = {
    "MONOCHROME1": "it counts from white to black, and was turned round",
    "PALETTE COLOR": "the palette was resolved",
}


@dataclass(frozen=True)
class _Slice:
    """One plane of voxels and where it lies; None where the file does not say."""

    path: Path
    series: str
    title: str
    array: npt.NDArray[np.generic]
    position: npt.NDArray[np.float64] | None
    orientation: npt.NDArray[np.float64] | None
    pixel: tuple[float, float] | None
    thickness: float | None


def files_of(path: Path, limits: Limits) -> list[Path]:
    """The files that belong to an image path: itself, or the DICOM files right in a folder, in order of name.

    Raises:
        InputError: a folder without DICOM files, or with too many.
    """
    if not path.is_dir():
        return [path]
    files = []
    for number, file in enumerate(sorted(path.iterdir())):
        if number >= 2 * limits.pages:
            raise InputError(
                f"more than {2 * limits.pages} files", path=path, hint="one series a folder", rule="limits"
            )
        if file.is_file() and file.name != "DICOMDIR" and (file.suffix.lower() in _SUFFIXES or is_dicom(file)):
            files.append(file)
    if not files:
        raise InputError("a folder without DICOM files", path=path, hint="one series a folder")
    if len(files) > limits.pages:
        raise InputError(f"{len(files)} slices are more than the {limits.pages} allowed", path=path, rule="limits")
    return files


@implements("REQ-076", "REQ-078")
def read_series(path: Path, limits: Limits) -> Volume:
    """Read the one series in a folder, or the one file `path` is.

    Raises:
        InputError: malformed files, several series, missing, doubled or sheared slices, or beyond the limits.
    """
    slices: list[_Slice] = []
    traces, facts, dtype, count, size = Traces(), Facts(), "", 0, 0
    doubts: dict[Doubt, None] = {}
    shared: dict[tuple[str, str], tuple[Path, str]] = {}
    for file in files_of(path, limits):
        size += file.stat().st_size if file.is_file() else 0
        if size > limits.file_bytes:
            raise InputError(
                f"its files have more than the {limits.file_bytes} bytes allowed", path=path, rule="limits"
            )
        dataset = read_dataset(file, limits)
        with reading(file):
            if str(dataset.get("SOPClassUID", "")) in SEGMENTATIONS:
                raise InputError("a segmentation, not an image", path=file, hint="name it as the label")
            rows, columns, frames, samples = announced(dataset, file, limits)
            count += frames
            check_shape((count, rows, columns), path, limits, colours=samples)
            traces += dicom_traces(dataset)
            _same_source(shared, dataset, file)
            array = pixels_of(dataset, file, limits)
            doubts |= dict.fromkeys(doubts_of(dataset))
            if str(dataset.get("PhotometricInterpretation", "")) in _CHANGED:
                traces += Traces(risks=(_CHANGED[str(dataset.PhotometricInterpretation)],))
            if not slices:
                facts, dtype = facts_of(dataset), array.dtype.name
            slices.extend(_slices(dataset, array, frames, file))
    _one_series(slices, path)
    if len(slices) == 1:
        return dataclasses.replace(_flat(slices[0], facts, traces, dtype), **_doubtful(doubts))
    ordered, affine = _in_order(slices, path)
    array = np.stack([one.array for one in ordered])
    axes: Axes = "zyx" if array.ndim == 3 else "zyxc"
    return Volume(
        array,
        axes,
        dtype,
        "DICOM",
        spacing=spacing_of(affine, 3),
        affine=affine,
        facts=facts,
        identifiers=traces.identifiers,
        notes=traces.risks,
        **_doubtful(doubts),
    )


def _doubtful(doubts: Iterable[Doubt]) -> dict[str, Any]:
    found = tuple(doubts)
    return {"doubts": found, "lossy": any(doubt.rule == "source-lossy" for doubt in found)}


def _same_source(shared: dict[tuple[str, str], tuple[Path, str]], dataset: Any, path: Path) -> None:
    """Files of one series must state one patient, study, frame of reference and kind of value.

    Args:
        shared: the first file that states an attribute and its value, by series and attribute; it grows.
        dataset: the next file's attributes.
        path: the next file.

    Raises:
        InputError: two files differ. It names both files and the attribute; the values may identify a person.
    """
    series = str(dataset.get("SeriesInstanceUID", ""))
    for name in (*_PATIENT, *_SHARED):
        stated = str(dataset.get(name, "") or "").strip()
        if not stated and name in _PATIENT:
            continue
        first, before = shared.setdefault((series, name), (path, stated))
        if before != stated:
            raise contradiction(
                "series-identity",
                f"it has the series of {first.name}, and another {name}",
                path,
                f"find out where {first.name} and {path.name} come from, and use a folder for each",
            )


def _slices(dataset: Any, array: npt.NDArray[np.generic], frames: int, path: Path) -> Iterable[_Slice]:
    """The planes of one file, rescaled to the values they mean (PS3.3 C.11.1)."""
    shared = _item(dataset, "SharedFunctionalGroupsSequence", 0)
    dose = is_dose(dataset)
    places = _dose_places(dataset, frames, path) if dose and frames > 1 else None
    title = f"series {dataset.get('SeriesNumber', '?')} ({dataset.get('Modality', '?')})"[:40]
    for index in range(frames):
        own = _item(dataset, "PerFrameFunctionalGroupsSequence", index)

        def value(group: str, name: str, own: Any = own) -> Any:
            for holder in (own, shared):
                item = None if holder is None else _item(holder, group, 0)
                if item is not None and name in item:
                    return item[name].value
            return dataset.get(name) if frames == 1 or dose else None

        if "ModalityLUTSequence" in dataset:
            raise InputError(
                "values behind a modality LUT",
                path=path,
                hint="export it with rescale slope and intercept",
                rule="format-unsupported",
            )
        slope = value("PixelValueTransformationSequence", "RescaleSlope")
        intercept = value("PixelValueTransformationSequence", "RescaleIntercept")
        if dose:  # C.8.8.3: a dose has a scale of its own
            slope, intercept = dose_scale(dataset, path), 0
        plane = array[index] if frames > 1 else array
        pixel = _numbers(value("PixelMeasuresSequence", "PixelSpacing"), 2, path)
        thickness = _numbers([value("PixelMeasuresSequence", "SliceThickness") or 1.0], 1, path)
        yield _Slice(
            path=path,
            series=str(dataset.get("SeriesInstanceUID", "")),
            title=title,
            array=_rescaled(plane, slope, intercept, path),
            position=places[index]
            if places is not None
            else _numbers(value("PlanePositionSequence", "ImagePositionPatient"), 3, path),
            orientation=_numbers(value("PlaneOrientationSequence", "ImageOrientationPatient"), 6, path),
            pixel=None if pixel is None else (float(pixel[0]), float(pixel[1])),
            thickness=None if thickness is None else float(thickness[0]),
        )


def _dose_places(dataset: Any, frames: int, path: Path) -> Sequence[npt.NDArray[np.float64]] | None:
    first = _numbers(dataset.get("ImagePositionPatient"), 3, path)
    orientation = _numbers(dataset.get("ImageOrientationPatient"), 6, path)
    if first is None or orientation is None:
        return None
    return frame_positions(dataset, frames, (first, _normal(orientation, path)), path)


def _item(dataset: Any, name: str, index: int) -> Any:
    items = dataset.get(name)
    return items[index] if items is not None and index < len(items) else None


def _numbers(value: Any, count: int, path: Path) -> npt.NDArray[np.float64] | None:
    if value is None or value == "":
        return None
    found = np.asarray([float(one) for one in value], dtype=np.float64)
    if found.shape != (count,) or not np.isfinite(found).all() or np.abs(found).max() > 1e7:
        raise InputError(
            "a position, orientation or spacing that makes no sense", path=path, rule="transform-impossible"
        )
    return found


def _rescaled(plane: npt.NDArray[np.generic], slope: Any, intercept: Any, path: Path) -> npt.NDArray[np.generic]:
    by, plus = float(1 if slope in (None, "") else slope), float(0 if intercept in (None, "") else intercept)
    if (by, plus) == (1.0, 0.0):
        return plane
    if not np.isfinite([by, plus]).all() or by == 0:
        raise InputError(f"rescaling by {by:g} and {plus:g} is impossible", path=path, rule="transform-impossible")
    with np.errstate(all="ignore"):
        scaled = plane.astype(np.float64) * by + plus
    return scaled if plane.dtype.itemsize > 2 else scaled.astype(np.float32)  # `precision` judges what float32 rounds


def _one_series(slices: list[_Slice], path: Path) -> None:
    series: dict[str, list[_Slice]] = {}
    for one in slices:
        series.setdefault(one.series, []).append(one)
    if len(series) > 1:
        named = [f"{found[0].title}: {len(found)} from {found[0].path.name}" for found in series.values()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        raise InputError(
            f"{len(series)} series in one folder",
            path=path,
            hint=f"a folder each: {'; '.join(named[:_NAMED])}{more}",
            rule="slices-uneven",
        )
    first = slices[0]
    for one in slices:
        if one.array.shape != first.array.shape:
            raise InputError(
                f"slices of {first.array.shape} and {one.array.shape} pixels", path=one.path, rule="slices-uneven"
            )


def _flat(one: _Slice, facts: Facts, traces: Traces, dtype: str) -> Volume:
    """One picture; where it lies is kept, so that a segmentation can be laid on it."""
    affine = None
    if one.position is not None and one.orientation is not None and one.pixel is not None:
        normal = _normal(one.orientation, one.path)
        affine = _affine(one, one.position, normal * (one.thickness or 1.0))
    spacing = None if one.pixel is None else (one.pixel[0] * _MICROMETRES, one.pixel[1] * _MICROMETRES)
    if spacing is not None and min(spacing) <= 0:
        raise InputError(f"a pixel spacing of {one.pixel} is impossible", path=one.path, rule="transform-impossible")
    return Volume(
        one.array,
        "yx" if one.array.ndim == 2 else "yxc",
        dtype,
        "DICOM",
        spacing=spacing,
        affine=affine,
        facts=facts,
        identifiers=traces.identifiers,
        notes=traces.risks,
    )


def _normal(orientation: npt.NDArray[np.float64], path: Path) -> npt.NDArray[np.float64]:
    row, column = orientation[:3], orientation[3:]
    if abs(row @ row - 1) > 0.01 or abs(column @ column - 1) > 0.01 or abs(row @ column) > 0.01:
        raise InputError(
            "an image orientation that is no right angle",
            path=path,
            hint="export the series again",
            rule="transform-impossible",
        )
    return np.cross(row, column)


def _in_order(slices: list[_Slice], path: Path) -> tuple[list[_Slice], Affine]:
    first = slices[0]
    for one in slices:
        if one.position is None or one.orientation is None or one.pixel is None:
            raise InputError(
                "a slice has no position",
                path=one.path,
                hint="films and scouts are no volumes; remove it",
                rule="slices-uneven",
            )
        if first.orientation is None or np.abs(one.orientation - first.orientation).max() > 1e-3:
            raise InputError(
                "slices of different orientation",
                path=one.path,
                hint="a scout? remove it from the folder",
                rule="slices-uneven",
            )
        if first.pixel is None or np.abs(np.subtract(one.pixel, first.pixel)).max() > 1e-3 * max(first.pixel):
            raise InputError("slices of different pixel spacing", path=one.path, rule="slices-uneven")
    assert first.orientation is not None  # noqa: S101 - the loop began with it
    normal = _normal(first.orientation, first.path)
    places = {id(one): one.position for one in slices if one.position is not None}
    ordered = sorted(slices, key=lambda one: float(places[id(one)] @ normal))
    along = np.array([float(places[id(one)] @ normal) for one in ordered])
    gaps = np.diff(along)
    step = float(np.median(gaps))
    if step <= 0 or gaps.min() < _APART * step:
        twice = int(np.argmin(gaps))
        raise InputError(
            "two slices at one place",
            path=ordered[twice + 1].path,
            hint=f"{ordered[twice].path.name} is at the same position: use one folder for each time or phase",
            rule="slices-uneven",
        )
    uneven = int(np.argmax(np.abs(gaps - step)))
    if abs(gaps[uneven] - step) > max(_APART * step, 1e-3):
        missing = gaps[uneven] / step - 1
        what = (
            f"{round(missing)} slices are missing"
            if missing > 0.5 and abs(missing - round(missing)) < 0.05
            else f"slices {gaps[uneven]:g} mm apart where others are {step:g} mm"
        )
        raise InputError(
            what,
            path=ordered[uneven + 1].path,
            hint=f"look between it and {ordered[uneven].path.name}",
            rule="slices-uneven",
        )
    start, end = places[id(ordered[0])], places[id(ordered[-1])]
    stride = (end - start) / (len(ordered) - 1)
    sheared = float(np.linalg.norm(stride - normal * (stride @ normal)))
    line = np.array([places[id(one)] for one in ordered]) - start - np.arange(len(ordered))[:, None] * stride
    if sheared > 0.01 * step or np.abs(line).max() > max(0.05 * step, 0.05 * min(first.pixel or (1.0,))):
        raise InputError(
            "slices shifted against each other",
            path=path,
            hint="a tilted gantry? resample it first",
            rule="slices-uneven",
        )
    return ordered, check_affine(_affine(first, start, stride), path)


def _affine(one: _Slice, start: npt.NDArray[np.float64], stride: npt.NDArray[np.float64]) -> Affine:
    """PS3.3 C.7.6.2.1.1, with the slices as a third axis. Pixel spacing is (between rows, between columns)."""
    orientation, pixel = one.orientation, one.pixel
    assert orientation is not None  # noqa: S101 - both callers checked
    assert pixel is not None  # noqa: S101
    affine = np.eye(4)
    affine[:3, 0] = orientation[:3] * pixel[1]
    affine[:3, 1] = orientation[3:] * pixel[0]
    affine[:3, 2] = stride
    affine[:3, 3] = start
    return from_xyz(affine, scale=_MICROMETRES, lps=True)
