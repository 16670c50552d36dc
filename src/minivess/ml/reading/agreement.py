"""Whether the files of a case and the project agree: shape, unit, spacing, direction and origin.

What one source does not state is no agreement. Where a header names no unit, the value of another source is tried for
it: the numbers must fit in one of the usual units. The case notes which value was used. Two statements that differ are
refused, and the message contains both. `docs/guides/data.md` has the rules as a table.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.geometry import Affine, deep, orientation_of, spacing_of
from minivess.ml.reading.volume import Spacing, Volume
from minivess.records.data.source import StatedUnit
from minivess.records.lengths import shown

_AGREEMENT = 0.01
"""Largest relative difference of two spacings that count as one."""
_SAME = 0.05
"""Largest difference of two positions that count as one, in voxels."""
_MICROMETRES = {"mm": 1e3, "µm": 1.0, "m": 1e6, "cm": 1e4, "nm": 1e-3}
"""Units that are tried for a header without one."""
_UNIT_MATRIX = np.eye(4)[[2, 1, 0, 3]]
"""The affine of an array that was saved without a position: the unit matrix from indices (x, y, z, 1)."""
_WORLDS = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
}
"""Spaces that are tried for a header without one, as signs that turn them into right-anterior-superior."""
_NAMES: dict[StatedUnit, str] = {"mm": "mm", "um": "µm"}
"""Names of `data.unit` in `_MICROMETRES`."""


@dataclass(frozen=True)
class CaseFile:
    """A file of a case, as read.

    Attributes:
        role: what it is of the case, for example `the mask`.
        path: the file, or the folder of a series.
        volume: what it holds.
    """

    role: str
    path: Path
    volume: Volume


@dataclass(frozen=True)
class Statement:
    """A spacing that a source states in micrometres.

    Attributes:
        source: the name of the source, for messages.
        path: the file at fault where another statement differs.
        spacing: in micrometres along the last axes.
    """

    source: str
    path: Path
    spacing: Spacing


@dataclass(frozen=True)
class Agreement:
    """What the sources of a case say together.

    Attributes:
        volumes: the files' volumes in the order given, with spacing and affine in micrometres where they are known.
        spacing: of the image in micrometres; None: a picture, or a case of `data.unit: px`, is measured in pixels.
        notes: which value was used for one that a source does not state.
    """

    volumes: tuple[Volume, ...]
    spacing: Spacing | None
    notes: tuple[str, ...]


@implements("REQ-276", "REQ-277", "RC-15")
def agree(
    case: str, files: Sequence[CaseFile], stated: Sequence[Statement] = (), unit: StatedUnit | None = None
) -> Agreement:
    """Compare the files of a case and what else is stated of it.

    Args:
        case: the id of the case, for hints.
        files: the image first, then the masks.
        stated: spacings from other sources: metadata, the project.
        unit: what the project says of headers that name no unit.

    Raises:
        InputError: shapes, spacings or places differ (both are named), or the voxel size is unknown.
    """
    notes: list[str] = []
    for one in files:
        _check_whole(one)
    if unit is not None and unit != "px":
        files = [_in_unit(one, _NAMES[unit], f"data.unit: {unit}", notes) for one in files]
    axes = len(files[0].volume.grid)
    known = [*_stated_by(files[:1]), *stated, *_stated_by(files[1:])]
    for first, other in itertools.combinations(known, 2):  # each pair: a statement may be about the last axes only
        _check_same(first, other)
    if unit == "px" and known:
        first = known[0]
        raise InputError(
            f"{first.source} says {shown(first.spacing, 'um')} and data.unit says px",
            path=first.path,
            hint="remove data.unit, or set it to the unit of the headers that name none",
            rule="spacing-differs",
        )
    _check_unnamed(files)
    if known:
        by_file = any(one.volume.spacing is not None for one in files)
        whole = max(known, key=lambda one: len(one.spacing))
        files = [_fitted(one, whole, notes, by_file=by_file) for one in files]
    used = next((one for one in known if len(one.spacing) >= axes), None)
    if used is None:
        _check_measurable(case, files, unit, notes)
    elif len(files[0].volume.spacing or ()) < axes and used not in stated:
        notes.append("the image states no spacing: that of the mask was used")
    for label in files[1:]:
        if not label.volume.placed:
            _check_grid(files[0], label)
            _check_place(files[0], label, notes)
    spacing = None if used is None else used.spacing[-axes:]
    return Agreement(tuple(one.volume for one in files), spacing, tuple(dict.fromkeys(notes)))


def words(spacing: Spacing) -> str:
    """A spacing as in messages."""
    return " × ".join(f"{value:g}" for value in spacing)


def _stated_by(files: Sequence[CaseFile]) -> list[Statement]:
    return [Statement(one.path.name, one.path, spacing) for one in files if (spacing := one.volume.spacing) is not None]


def _steps(volume: Volume) -> Spacing | None:
    """Spacing in a unit that the header does not name; None where it states none."""
    if volume.spacing is not None:
        return None
    if volume.unitless is not None:
        return volume.unitless
    position = _position(volume)
    return None if position is None else spacing_of(position, len(volume.grid))


def _position(volume: Volume) -> Affine | None:
    """The affine, in the world or in a space that the header does not name; None: it states no position."""
    return volume.frame if volume.affine is None else volume.affine


def _unset(volume: Volume) -> bool:
    """Whether a header has its initial values: a spacing of 1 without a unit, and no position or the unit matrix."""
    steps = _steps(volume)
    if steps is None or any(step != 1 for step in steps):
        return False
    position = _position(volume)
    return position is None or bool((position == _UNIT_MATRIX).all())


def _close(first: Spacing, other: Spacing) -> bool:
    """Whether two spacings are the same along the axes that both have."""
    axes = min(len(first), len(other))
    pairs = zip(first[-axes:], other[-axes:], strict=True)
    return all(abs(a - b) <= _AGREEMENT * max(a, b) for a, b in pairs)


def _check_whole(one: CaseFile) -> None:
    """The spacing and the position of one header must be the same lengths, also where the header names no unit."""
    volume = one.volume
    if volume.affine is None or volume.unitless is None:
        return
    found = spacing_of(volume.affine, len(volume.unitless))
    if not _close(volume.unitless, found):
        raise InputError(
            f"the header says {words(volume.unitless)} and its orientation matrix {words(found)}",
            path=one.path,
            hint="correct the one that is wrong",
            rule="spacing-differs",
        )


def _check_same(first: Statement, other: Statement) -> None:
    if not _close(first.spacing, other.spacing):
        raise InputError(
            f"{first.source} says {shown(first.spacing, 'um')} and {other.source} says {shown(other.spacing, 'um')}",
            path=other.path,
            hint="correct the one that is wrong; spacings may differ by 1 % at most",
            rule="spacing-differs",
        )


def _in_unit(one: CaseFile, name: str, why: str, notes: list[str]) -> CaseFile:
    """A file with its numbers in micrometres; one that names a unit, or has no numbers, stays as it is."""
    steps = _steps(one.volume)
    if steps is None:
        return one
    factor = _MICROMETRES[name]
    affine, frame = (_scaled(matrix, factor) for matrix in (one.volume.affine, one.volume.frame))
    notes.append(f"{one.role} names no unit: {name} was used ({why})")
    spacing = tuple(round(step * factor, 6) for step in steps)
    return dataclasses.replace(
        one, volume=dataclasses.replace(one.volume, spacing=spacing, unitless=None, affine=affine, frame=frame)
    )


def _scaled(matrix: Affine | None, factor: float) -> Affine | None:
    return None if matrix is None else np.vstack([matrix[:3] * factor, matrix[3:]])


def _fitted(one: CaseFile, known: Statement, notes: list[str], *, by_file: bool) -> CaseFile:
    """A file without a unit in the one in which its numbers are the known spacing.

    Initial values are left out, except for a unit matrix where another file states its spacing.
    """
    steps = _steps(one.volume)
    if steps is None:
        return one
    for name, factor in _MICROMETRES.items():
        if _close(tuple(step * factor for step in steps), known.spacing):
            return _in_unit(one, name, "it gives the spacing of the other sources", notes)
    if _unset(one.volume) and (_position(one.volume) is None or not by_file):
        notes.append(f"{one.role} has the initial spacing of 1 without a unit: it was not used")
        return dataclasses.replace(one, volume=dataclasses.replace(one.volume, unitless=None, affine=None, frame=None))
    raise InputError(
        f"{known.source} says {shown(known.spacing, 'um')} and {one.path.name} says {words(steps)} without a unit"
        f" ({shown(steps, 'mm')} if that is mm)",
        path=one.path,
        hint="correct the one that is wrong; the two fit in no unit from nm to m",
        rule="spacing-differs",
    )


def _check_unnamed(files: Sequence[CaseFile]) -> None:
    """Headers without a unit are compared as if they meant the same one."""
    steps = [(one, _steps(one.volume)) for one in files]
    stated = [
        (one, found)
        for one, found in steps
        if found is not None and not (_position(one.volume) is None and _unset(one.volume))
    ]
    for (first, other), (one, found) in itertools.combinations(stated, 2):
        if not _close(other, found):
            raise InputError(
                f"{first.path.name} says {words(other)} and {one.path.name} says {words(found)}, both without a unit",
                path=one.path,
                hint="correct the one that is wrong; spacings may differ by 1 % at most",
                rule="spacing-differs",
            )


def _check_measurable(case: str, files: Sequence[CaseFile], unit: StatedUnit | None, notes: list[str]) -> None:
    """A case without a spacing in micrometres is measured in pixels, if it is a picture or the project says so."""
    image = files[0]
    found = [(one, steps) for one in files if (steps := _steps(one.volume)) is not None and not _unset(one.volume)]
    steps = found[0][1] if found else None
    if unit == "px":
        if steps is not None:
            notes.append(f"{found[0][0].role} says {words(steps)} without a unit: not used (data.unit: px)")
        return
    guess = "" if steps is None else f"; if the file's unit is mm, that is {shown(steps, 'mm')}"
    example = "5 x 1 x 1 µm" if len(image.volume.grid) == 3 else "1 x 1 µm"
    answers = f"state data.unit: mm, um or px for the set, or spacing for case {case}, for example {example}{guess}"
    if len(image.volume.grid) == 3:
        raise InputError(
            "the voxel size is unknown",
            path=image.path,
            hint=answers,
            rule="spacing-unknown",
        )
    if steps is None:
        return
    if not _close(steps, steps[:1] * len(steps)):
        raise InputError(
            f"{found[0][0].path.name} says {words(steps)} without a unit, so its pixels are not square",
            path=found[0][0].path,
            hint=answers,
            rule="spacing-unknown",
        )
    notes.append(f"{found[0][0].role} says {words(steps)} without a unit: distances are in pixels")


def _check_grid(image: CaseFile, label: CaseFile) -> None:
    grids = [one.volume.grid for one in (image, label)]
    if _flat(grids[0]) != _flat(grids[1]):
        raise InputError(
            f"the mask's shape {grids[1]} is not the image's {grids[0]}",
            path=label.path,
            hint="image and mask must be on one grid",
            rule="shape-differs",
        )


def _flat(grid: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without a first axis of one plane."""
    return grid[1:] if len(grid) == 3 and grid[0] == 1 else grid


@implements("REQ-311")
def _check_place(image: CaseFile, label: CaseFile, notes: list[str]) -> None:
    """Directions and origins must be the same where both files state them; a note names the file that does not."""
    first, other = _position(image.volume), _position(label.volume)
    if first is None and other is None:
        return
    if first is None or other is None:
        silent, known = (image, label) if first is None else (label, image)
        notes.append(f"{silent.role} states no position: it is taken to be where {known.role} is")
        return
    if (image.volume.spacing is None) != (label.volume.spacing is None):
        silent, known = (image, label) if image.volume.spacing is None else (label, image)
        raise InputError(
            f"{known.path.name} states its position in µm and {silent.path.name} without a unit",
            path=silent.path,
            hint="state data.unit",
            rule="place-differs",
        )
    unnamed = [one for one in (image, label) if one.volume.affine is None]
    worlds = _WORLDS if len(unnamed) == 1 else {"": (1.0, 1.0, 1.0)}
    moving = first if unnamed[:1] == [image] else other
    fixed = other if moving is first else first
    apart = {
        name: _corners_apart(np.diag([*signs, 1.0]) @ moving, fixed, image.volume.grid)
        for name, signs in worlds.items()
    }
    name = min(apart, key=lambda one: apart[one])
    if apart[name] <= _SAME * float(np.linalg.norm(first[:3, :3], axis=0).min()):
        if name:
            notes.append(f"{unnamed[0].role} names no space: {name} was used (it gives the position of the other file)")
        return
    unit = "" if image.volume.spacing is None else " µm"
    raise InputError(
        f"the mask's orientation or origin is not the image's: {image.path.name} {_place(image.volume, unit)}, "
        f"{label.path.name} {_place(label.volume, unit)}; their corners are up to {apart[name]:g}{unit} apart",
        path=label.path,
        hint="resample the mask to the image",
        rule="place-differs",
    )


def _corners_apart(first: Affine, other: Affine, grid: tuple[int, ...]) -> float:
    ends = [(0, size - 1) for size in deep(grid)]
    corners = np.array([[*corner, 1] for corner in itertools.product(*ends)], dtype=np.float64)
    return float(np.abs(((first - other) @ corners.T)[:3]).max())


def _place(volume: Volume, unit: str) -> str:
    """Where the axes (z, y, x) point and where the first voxel is (right, anterior, superior)."""
    affine = _position(volume)
    if affine is None:
        return "has no position"
    origin = ", ".join(f"{value:g}" for value in affine[:3, 3] + 0.0)
    if volume.affine is None:
        steps = " ".join(f"({', '.join(f'{value:g}' for value in column + 0.0)})" for column in affine[:3, :3].T)
        return f"has axes {steps} and origin ({origin}){unit} in a space without a name"
    return f"has axes {orientation_of(affine) or 'in no order'} and origin ({origin}){unit}"
