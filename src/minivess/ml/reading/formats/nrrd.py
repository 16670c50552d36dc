"""NRRD volumes (`.nrrd`, header and voxels in one file): pynrrd parses the header, voxels are read here, within limits.

Voxels stored raw are mapped from the disk. A header that points to other files is refused: it could name any.
"""

from __future__ import annotations

import gzip
import math
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction, rest_of_gzip, trailing
from minivess.ml.reading.deidentification import Traces, free_text
from minivess.ml.reading.formats.ome import MICROMETRES
from minivess.ml.reading.geometry import Affine, check_affine, from_xyz
from minivess.ml.reading.volume import (
    Limits,
    Spacing,
    Volume,
    channel_names,
    check_dtype,
    check_ratio,
    check_shape,
    check_spacing,
    fault_in_words,
    file_size,
    mapped,
)
from minivess.records.data.dataset import Axes

_HEADER = 1 << 20
_WORLDS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
"""Signs that turn a world of NRRD into left-posterior-superior (NRRD format, "space")."""
_COLOURS = {"rgb-color": 3, "3-color": 3, "rgba-color": 4, "4-color": 4}
_CHANNELS = frozenset({"vector", "list"})
"""Kinds of a first axis that holds the channels of each voxel. Other kinds of vector are directions in space."""
_GRADIENTS = "dwmri_"
"""What facts about diffusion gradients begin with, by which Slicer marks a list of diffusion-weighted images."""
_SPATIAL = frozenset({"domain", "space", "???", "none"})
"""Kinds of an axis along which neighbours in space are counted (NRRD format, "kinds")."""
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_DTYPES = {name: code for code, names in _TYPES.items() for name in names}
_FIELDS = frozenset(
    (
        *(
            "dimension",
            "type",
            "block size",
            "blocksize",
            "encoding",
            "endian",
            "content",
            "min",
            "max",
            "old min",
            "oldmin",
        ),
        *("old max", "oldmax", "data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip", "number"),
        *("sample units", "sampleunits", "sizes", "spacings", "thicknesses", "axis mins", "axismins", "axis maxs"),
        *("axismaxs", "centers", "centerings", "labels", "units", "kinds", "space", "space dimension", "space units"),
        *("space origin", "space directions", "measurement frame"),
    )
)
"""Fields that the format defines (NRRD format, "Basic Field Specifications" and after). Others are no fields."""
_NO_WORLD = frozenset(
    f"{name}{time}" for name in ("scanner-xyz", "3d-right-handed", "3d-left-handed") for time in ("", "-time")
)
"""Spaces that do not say where left, front and top are."""
_KNOWN = frozenset(
    (
        *("type", "dimension", "space", "sizes", "kinds", "centers", "centerings", "endian", "encoding"),
        *("spacings", "thicknesses", "units", "labels", "content", "min", "max", "oldmin", "oldmax"),
    )
)


@dataclass(frozen=True)
class _Block:
    """The voxels: their type and shape, how they are encoded, where they begin and where the file ends."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    encoding: str
    offset: int
    size: int


def read_nrrd(path: Path, limits: Limits) -> Volume:
    """Read one picture or volume, grey or colour; the first axis of the file becomes the last.

    Raises:
        InputError: malformed, truncated, detached, more than three axes, no numbers, or beyond the limits.
    """
    size = file_size(path, limits)
    try:
        with path.open("rb") as stream:
            header, offset = _header(stream, path)
            return _read(stream, header, (offset, size), path, limits)
    except InputError:
        raise
    except Exception as error:
        # pynrrd and the unpackers answer damage with a dozen kinds of exception; for the person they are one
        raise InputError(f"malformed NRRD: {fault_in_words(error)}", path=path, hint="save the volume again") from None


def _header(stream: IO[bytes], path: Path) -> tuple[dict[str, Any], int]:
    from nrrd import read_header

    block = stream.read(_HEADER)
    if not block.startswith(b"NRRD000"):
        raise InputError("not a NRRD file", path=path)
    ends = [(at, len(mark)) for mark in (b"\n\n", b"\r\n\r\n") if (at := block.find(mark)) >= 0]
    if not ends:
        raise InputError(
            f"no end of its header within {_HEADER} bytes", path=path, hint="header and voxels must be one .nrrd file"
        )
    at, length = min(ends)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = [_line(line, path) for line in block[:at].splitlines(keepends=True)]
        header = {str(key).lower(): value for key, value in read_header(lines).items()}
    if any(
        key.replace(" ", "") in ("datafile", "lineskip", "byteskip") and value != 0 for key, value in header.items()
    ):
        raise InputError("its voxels are in another file", path=path, hint="save header and voxels as one .nrrd file")
    return header, at + length


@implements("REQ-286")
def _line(line: bytes, path: Path) -> bytes:
    """A line of the header, its field in lower case; pynrrd takes a field in another case for a key of the writer.

    Raises:
        InputError: a field that the format does not have, or one with characters other than ASCII.
    """
    if line.startswith((b"#", b"NRRD")) or b":=" in line or b": " not in line:
        return line
    name, _, value = line.partition(b": ")
    field = name.decode("latin-1").lower()
    if field not in _FIELDS or (field != "content" and not value.isascii()):
        raise InputError(
            f"the header has no field {field[:24]!r}" if field not in _FIELDS else f"its {field} is no ASCII text",
            path=path,
            hint="save the volume again; facts of your own are written as key:=value",
        )
    return field.encode("ascii") + b": " + value


def _read(stream: IO[bytes], header: dict[str, Any], place: tuple[int, int], path: Path, limits: Limits) -> Volume:
    sizes = tuple(int(n) for n in header["sizes"])
    kinds = [str(kind).lower() for kind in header.get("kinds", [])] or ["???"] * len(sizes)
    if len(kinds) != len(sizes) or int(header["dimension"]) != len(sizes):
        raise InputError("its sizes, kinds and dimension disagree", path=path)
    colours = _COLOURS.get(kinds[0], 1)
    if colours > 1 and sizes[0] != colours:
        raise InputError(f"{sizes[0]} values for {kinds[0]}", path=path)
    channels = sizes[0] if kinds[0] in _CHANNELS and len(sizes) > 2 and sizes[0] > 1 else 0
    first = 1 if colours > 1 or kinds[0] in _CHANNELS else 0
    strange = [kind for kind in kinds[first:] if kind not in _SPATIAL]
    if strange:
        raise contradiction(
            "axes-order",
            f"an axis of kind {strange[0][:20]!r} is no axis of space",
            path,
            "save one time in a file of its own, channels as a first axis of kind vector or list, and colours as rgb-color",
        )
    gradients = any(key.startswith(_GRADIENTS) for key in header)
    if channels and ("measurement frame" in header or gradients):
        raise contradiction(
            "axes-order",
            f"the {channels} values of a voxel are "
            + ("of diffusion gradients" if gradients else "directions in a measurement frame")
            + ", and no channels",
            path,
            "save an image; if these are channels, leave these fields out of the header",
        )
    values = sizes[0] if first else 1
    grid = check_shape(sizes[first:][::-1], path, limits, colours=values)
    dtype = _dtype(header, path)
    spacing, unitless, (affine, frame) = _place(header, len(grid), first > 0, path)
    shape = (*grid, values) if first else grid
    array, rest = _voxels(stream, _Block(dtype, shape, str(header["encoding"]).lower(), *place), path, limits)
    traces = _traces(header)
    notes = traces.risks
    if first and values == 1:
        array = array[..., 0]
    if colours == 4:
        array, notes = array[..., :3], (*notes, "the alpha channel was dropped")
    flat: Axes = "yxc" if values > 1 else "yx"
    deep: Axes = "zyxc" if values > 1 else "zyx"
    return Volume(
        array,
        flat if len(grid) == 2 else deep,
        dtype.name,
        "NRRD",
        spacing=spacing,
        unitless=unitless,
        affine=affine,
        frame=frame,
        identifiers=traces.identifiers,
        notes=notes,
        doubts=trailing(rest, "the voxels that the header announces"),
        channels=channel_names((), channels) if channels else (),
    )


def _dtype(header: dict[str, Any], path: Path) -> np.dtype[Any]:
    code = _DTYPES.get(str(header["type"]).lower())
    if code is None:
        raise InputError(f"voxels of type {str(header['type'])[:20]!r}", path=path, hint="save as uint8 or float")
    endian = str(header.get("endian", "little")).lower()
    if endian not in ("little", "big") or ("endian" not in header and code[1] != "1"):
        raise InputError("its byte order is not stated", path=path, hint="save the volume again")
    dtype = np.dtype(("<" if endian == "little" else ">") + code)
    check_dtype(dtype, path)
    return dtype


def _voxels(stream: IO[bytes], block: _Block, path: Path, limits: Limits) -> tuple[npt.NDArray[Any], int]:
    """The voxels, and the number of bytes after them."""
    encoding, offset, size = block.encoding, block.offset, block.size
    needed = math.prod(block.shape) * block.dtype.itemsize
    if encoding == "raw":
        if size - offset < needed:
            raise InputError(
                f"truncated: {size - offset} of {needed} bytes of voxels",
                path=path,
                hint="copy the file again",
                rule="file-truncated",
            )
        return mapped(path, block.dtype, offset, block.shape), size - offset - needed
    if encoding not in ("gz", "gzip"):
        raise InputError(f"voxels encoded as {encoding[:20]!r}", path=path, hint="save it raw or with gzip")
    check_ratio(needed, size - offset, path, limits)
    stream.seek(offset)
    try:
        with gzip.open(stream, "rb") as unpacked:
            data = cast("IO[bytes]", unpacked).read(needed)
            rest = rest_of_gzip(cast("IO[bytes]", unpacked), path) if len(data) == needed else 0
    except gzip.BadGzipFile:
        raise contradiction("checksum", "its gzip stream is damaged", path, "copy the file again") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"not readable: {fault_in_words(error)}", path=path, hint="copy the file again") from None
    if len(data) != needed:
        raise InputError(
            f"truncated: {len(data)} of {needed} bytes of voxels",
            path=path,
            hint="copy the file again",
            rule="file-truncated",
        )
    return np.frombuffer(data, dtype=block.dtype).reshape(block.shape), rest


def _place(
    header: dict[str, Any], axes: int, coloured: bool, path: Path
) -> tuple[Spacing | None, Spacing | None, tuple[Affine | None, Affine | None]]:
    """Spacing in micrometres or in an unnamed unit, and the affine or the frame in the same."""
    units = [str(unit).strip().strip('"').lower() for unit in header.get("space units", header.get("units", []))]
    units = [unit for unit in units if unit not in ("", "none", "???")]
    if len(set(units)) > 1 or any(unit not in _UNITS for unit in units):
        raise InputError(f"unknown or different units {units[:4]}", path=path, hint="use mm or um")
    scale = _UNITS[units[0]] if units else 1.0
    steps = None
    places: tuple[Affine | None, Affine | None] = None, None
    if "space directions" in header:
        directions = np.asarray(header["space directions"], dtype=np.float64)[1 if coloured else 0 :]
        if directions.shape not in ((axes, axes), (axes, 3)) or not np.isfinite(directions).all():
            raise InputError("its space directions do not fit its sizes", path=path)
        steps = tuple(round(float(step) * scale, 6) for step in np.linalg.norm(directions, axis=1)[::-1])
        places = _affine(header, directions, scale, path)
    elif "spacings" in header:
        values = np.asarray(header["spacings"], dtype=np.float64)[1 if coloured else 0 :]
        if values.shape != (axes,):
            raise InputError("its spacings do not fit its sizes", path=path)
        steps = tuple(round(float(step) * scale, 6) for step in values[::-1])
    if "space directions" in header and "spacings" in header:
        stated = np.asarray(header["spacings"], dtype=np.float64)[1 if coloured else 0 :][::-1] * scale
        if steps is None or stated.shape != (axes,) or not np.allclose(stated, steps, rtol=0.01):
            raise contradiction(
                "transforms-disagree", "its spacings and its space directions give different distances", path
            )
    if steps is None or not all(math.isfinite(step) for step in steps):
        return None, None, places
    check_spacing(steps, path)
    return (steps, None, places) if units else (None, steps, places)


def _affine(
    header: dict[str, Any], directions: npt.NDArray[Any], scale: float, path: Path
) -> tuple[Affine | None, Affine | None]:
    """The affine, or the frame where the file names no world; the third axis of a picture is its normal."""
    axes, space = directions.shape
    origin = np.asarray(header.get("space origin", (0,) * space), dtype=np.float64)
    if origin.shape != (space,):
        raise InputError("its space origin does not fit its space directions", path=path)
    name = str(header.get("space", "")).lower()
    if name and name not in _WORLDS and name not in _NO_WORLD:
        raise InputError(f"an unknown space {name[:24]!r}", path=path, hint="use left-posterior-superior")
    affine = np.eye(4)
    affine[:space, :axes], affine[:space, 3] = directions.T, origin
    if (axes, space) == (2, 3):
        normal = np.cross(directions[0], directions[1])
        affine[:3, 2] = normal / max(float(np.linalg.norm(normal)), 1e-300)
    signs = _WORLDS.get(name)
    if signs is None or space == 2:
        return None, check_affine(from_xyz(affine, scale=scale), path)
    affine[:3] *= np.asarray(signs, dtype=np.float64)[:, None]
    return check_affine(from_xyz(affine, scale=scale, lps=True), path), None


def _traces(header: dict[str, Any]) -> Traces:
    found = Traces()
    for key, value in header.items():
        if isinstance(value, str) and (key == "content" or not (key in _KNOWN or key.startswith("space"))):
            name = key[:32] if key.isascii() and key.isprintable() else "field"
            found += free_text(f"NRRD {name}", value, identity="name" in key or "patient" in key)
    return found


_UNITS = MICROMETRES | {"millimeter": 1e3, "millimetre": 1e3, "millimeters": 1e3, "millimetres": 1e3, "meter": 1e6}
