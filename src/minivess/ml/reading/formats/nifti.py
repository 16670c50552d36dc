"""NIfTI-1 and NIfTI-2 in one file (`.nii`) or in two (`.hdr` and `.img`), each of them also as `.gz`.

The header is checked first, and voxels are read only when it holds. nibabel knows the header; the voxels are read here, so
that no more is unpacked than the header announces. Those of an uncompressed file are mapped from the disk.
"""

from __future__ import annotations

import gzip
import itertools
import math
import struct
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
from minivess.ml.reading.deidentification import NAME_FIELDS, Traces, free_text
from minivess.ml.reading.formats.nifti_channels import channels_of
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
from minivess.records.lengths import shown

_LARGEST_OFFSET = 16 * 1024**2
_UNITS = {0: None, 1: 1e6, 2: 1e3, 3: 1.0}
"""Micrometres in one unit, by the lower three bits of `xyzt_units` (NIfTI-1, "Units of spatial and temporal
dimensions")."""
_COLOURS = {3: "RGB24", 4: "RGBA32"}
_DICOM_EXTENSION = 2
_MOST_EXTENSIONS = 64
_APART = 0.25
"""Largest distance of one corner in two transforms of one space, in voxels (single precision costs a tenth)."""
_TURNED = 0.5
"""Least cosine between an axis in two spaces: 60 degrees."""


def read_nifti(path: Path, limits: Limits) -> Volume:
    """Read one picture or volume, grey or colour; axes (x, y, z) of the file become (z, y, x).

    Args:
        path: the file, or either file of a pair.
        limits: how much is taken in.

    Raises:
        InputError: malformed, truncated, more than three axes, no numbers, or beyond the limits.
    """
    header_path, voxels_path = pair_of(path) or (path, path)
    paired = header_path != voxels_path
    file_size(header_path, limits)
    try:
        with _opened(header_path)[0] as stream:
            place = _Place(header_path, voxels_path, file_size(voxels_path, limits), *_opened(voxels_path))
            with place.stream:
                return _read(stream, place, limits, paired=paired)
    except InputError:
        raise
    except gzip.BadGzipFile:
        raise contradiction("checksum", "its gzip stream is damaged", path, "copy the file again") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"not readable: {fault_in_words(error)}", path=path, hint="copy the file again; it looks damaged"
        ) from None
    except Exception as error:
        # nibabel answers damaged fields with errors of its own, of NumPy and of struct; for the person they are one
        raise InputError(
            f"malformed NIfTI header: {fault_in_words(error)}", path=path, hint="save the file again"
        ) from None


@dataclass(frozen=True)
class _Place:
    """The file of the header, that of the voxels with its size, a stream of its content and whether it is packed."""

    header: Path
    path: Path
    size: int
    stream: IO[bytes]
    packed: bool


@implements("REQ-287")
def pair_of(path: Path) -> tuple[Path, Path] | None:
    """The files of the header and of the voxels of a pair, one of which is `path`; None: it is no file of a pair.

    Raises:
        InputError: the other file is missing, or there are two of them.
    """
    name = path.name.lower()
    own = next((suffix for suffix in (".hdr", ".img") if name.removesuffix(".gz").endswith(suffix)), None)
    if own is None:
        return None
    other = {".hdr": ".img", ".img": ".hdr"}[own]
    stem = path.name[: -len(own) - (3 if name.endswith(".gz") else 0)]
    found = [
        file for suffix in (other, other.upper(), f"{other}.gz") if (file := path.with_name(stem + suffix)).is_file()
    ]
    what = "header" if other == ".hdr" else "voxels"
    if not found:
        raise InputError(
            f"its {what}, {stem}{other}, is missing" if other == ".hdr" else f"its {what}, {stem}{other}, are missing",
            path=path,
            hint="keep both files of the pair in one folder under one name",
            rule="file-missing",
        )
    if len(found) > 1:
        raise InputError(
            f"two files may be its {what}: {found[0].name} and {found[1].name}", path=path, hint="keep one"
        )
    return (found[0], path) if own == ".img" else (path, found[0])


def _opened(path: Path) -> tuple[IO[bytes], bool]:
    """A stream of a file's content, and whether it is packed with gzip."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb") if packed else path.open("rb")), packed


def _read(head: IO[bytes], place: _Place, limits: Limits, *, paired: bool) -> Volume:
    path, stream, size, packed = place.path, place.stream, place.size, place.packed
    block = head.read(540)
    header = _header(block, place.header, paired=paired)
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    dtype = header.get_data_dtype()
    shape, channels = channels_of(header, shape, place.header)
    colours = dtype.itemsize if dtype.names and dtype.itemsize in _COLOURS else 1
    grid = check_shape(shape, path, limits, colours=colours * max(channels, 1))[::-1]
    if colours > 1:
        dtype = np.dtype(np.uint8)
    check_dtype(dtype, path)
    stored = 8 * header.get_data_dtype().itemsize
    if int(header["bitpix"]) not in (0, stored):
        raise contradiction(
            "voxel-type", f"its voxels have {stored} bits by `datatype` and {int(header['bitpix'])} by `bitpix`", path
        )
    offset = float(header["vox_offset"])
    least = 0 if paired else 4 + header.sizeof_hdr
    if not least <= offset <= _LARGEST_OFFSET or offset != int(offset):
        raise contradiction(
            "voxel-offset",
            f"its voxels begin at byte {offset:g}, within its header of {least} bytes or at no possible byte",
            place.header,
            f"save the file again; `vox_offset` of a .nii file is {least} or more",
        )
    spacing, unitless, affine = _place(header, len(grid), place.header)
    traces = _traces(header, block, head, limits.text_bytes if paired else int(offset))
    whole = (*([channels] if channels else []), *grid, *([colours] if colours > 1 else []))
    needed = math.prod(whole) * dtype.itemsize
    array: npt.NDArray[Any]
    if packed:
        check_ratio(int(offset) + needed, size, path, limits)
        stream.seek(int(offset))
        data = stream.read(needed)
        if len(data) != needed:
            raise InputError(
                f"truncated: {len(data)} of {needed} bytes of voxels",
                path=path,
                hint="copy the file again",
                rule="file-truncated",
            )
        array, rest = np.frombuffer(data, dtype=dtype).reshape(whole), rest_of_gzip(stream, path)
    else:
        if size < offset + needed:
            raise InputError(
                f"truncated: {size} bytes where {int(offset) + needed} are announced",
                path=path,
                hint="copy the file again",
                rule="file-truncated",
            )
        array, rest = mapped(path, dtype, int(offset), whole), size - int(offset) - needed
    axes: Axes = "zyx" if len(grid) == 3 else "yx"
    notes = traces.risks
    if channels:
        if colours > 1:
            hint = "save one channel in a file of its own"
            raise InputError("channels of colours", path=path, hint=hint, rule="format-unsupported")
        axes, array = ("zyxc" if len(grid) == 3 else "yxc"), np.moveaxis(array, 0, -1)
    if colours > 1:
        axes, array = ("zyxc" if len(grid) == 3 else "yxc"), array[..., :3]
        notes = (*notes, "the alpha channel was dropped") if colours == 4 else notes
    return Volume(
        array if colours > 1 else _scaled(array, header, path),
        axes,
        dtype.name,
        "NIfTI-2" if block[4:7] in (b"n+2", b"ni2") else "NIfTI-1",
        spacing=spacing,
        unitless=unitless,
        affine=affine,
        identifiers=traces.identifiers,
        notes=notes,
        doubts=trailing(rest, "the voxels that the header announces"),
        channels=channel_names((), channels) if channels else (),
    )


def _header(block: bytes, path: Path, *, paired: bool) -> Any:
    import nibabel

    marks = (b"ni1\0", b"ni2\0") if paired else (b"n+1\0", b"n+2\0")

    sizes = {b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"}, {b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"}
    if block[:4] in sizes[0] and block[344:348] == marks[0]:
        kind, length = nibabel.Nifti1Header, 348
    elif block[:4] in sizes[1] and block[4:8] == marks[1]:
        kind, length = nibabel.Nifti2Header, 540
    else:
        raise _no_header(block, path, paired=paired)
    header = kind(block[:length], check=False)
    if not 1 <= int(header["dim"][0]) <= 7:
        raise InputError(f"{int(header['dim'][0])} dimensions in the header", path=path)
    return header


def _no_header(block: bytes, path: Path, *, paired: bool) -> InputError:
    marks = {block[344:348], block[4:8]}
    if marks & {b"n+1\0", b"n+2\0"}:
        return contradiction("voxel-offset", "its header says that voxels follow it in one file", path, "name it .nii")
    if marks & {b"ni1\0", b"ni2\0"}:
        return contradiction(
            "voxel-offset",
            "its header says that its voxels are in an .img file",
            path,
            "name it .hdr, beside its .img file",
        )
    if paired and len(block) >= 348 and block[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c"):
        return InputError(
            "an Analyze 7.5 header, which does not say where left and right are",
            path=path,
            hint="convert it to NIfTI",
            rule="format-unsupported",
        )
    return InputError("not a NIfTI file", path=path, hint="a .nii file, or a pair of .hdr and .img")


def _scaled(array: npt.NDArray[Any], header: Any, path: Path) -> npt.NDArray[Any]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope) or (slope, intercept) == (1.0, 0.0):
        return array
    if not np.isfinite([slope, intercept]).all():
        raise InputError(f"scaling by {slope} and {intercept} is impossible", path=path, rule="transform-impossible")
    with np.errstate(all="ignore"):
        scaled = array.astype(np.float64) * slope + intercept
    return scaled if array.dtype.itemsize > 2 else scaled.astype(np.float32)  # `precision` judges what float32 rounds


def _place(header: Any, axes: int, path: Path) -> tuple[Spacing | None, Spacing | None, Affine | None]:
    """Spacing in micrometres or in an unnamed unit, and the affine in the same."""
    unit = int(header["xyzt_units"]) % 8
    if unit not in _UNITS:
        hint = "use 2 (mm) or 3 (µm)"
        raise InputError(f"unknown code {unit} for the unit of length", path=path, hint=hint, rule="format-unsupported")
    factor = _UNITS[unit]
    scale = factor or 1.0
    steps = tuple(round(abs(float(value)) * scale, 6) for value in header["pixdim"][axes:0:-1])
    spacing = check_spacing(steps, path) if factor is not None else None
    affine = _affine(header, scale, path)
    _check_transforms(header, path)
    if affine is not None and spacing is not None:
        found = np.linalg.norm(affine[:3, :3], axis=0)[3 - axes :]
        if np.abs(found / np.asarray(spacing) - 1).max() > 0.01:
            raise InputError(
                f"pixdim says {shown(spacing, 'um')} and the sform {shown(tuple(found), 'um')}",
                path=path,
                hint="correct the one that is wrong",
                rule="spacing-differs",
            )
    usable = all(math.isfinite(step) and step > 0 for step in steps)
    return spacing, steps if factor is None and usable else None, affine


def _affine(header: Any, scale: float, path: Path) -> Affine | None:
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return None
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    return check_affine(from_xyz(affine, scale=scale), path)


def _check_transforms(header: Any, path: Path) -> None:
    """Where both transforms are stated, they must not contradict each other (NIfTI-1, "Orientation and location").

    Of one code they name one space, and every corner must lie at one place. Of two codes they name two spaces (the
    scanner's and an atlas's), which may be turned against each other, but not mirrored.
    """
    codes = int(header["qform_code"]), int(header["sform_code"])
    if 0 in codes:
        return
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first, second = np.asarray(header.get_qform()), np.asarray(header.get_sform())
    steps = np.linalg.norm(first[:3, :3], axis=0), np.linalg.norm(second[:3, :3], axis=0)
    if not all(np.isfinite(step).all() and step.min() > 0 for step in steps):
        raise contradiction("transforms-disagree", "its qform or its sform puts voxels at no place", path)
    turn = (first[:3, :3] / steps[0]) * (second[:3, :3] / steps[1])
    if (turn.sum(axis=0) < _TURNED).any():
        raise contradiction(
            "transforms-disagree",
            "its qform and its sform point an axis to different sides",
            path,
            "find out which is right, and write it into both",
        )
    sizes = [max(int(n), 1) - 1 for n in (*header.get_data_shape(), 1, 1)[:3]]
    corners = np.array([[*corner, 1] for corner in itertools.product(*((0, n) for n in sizes))], dtype=float)
    apart = float(np.linalg.norm(((first - second) @ corners.T)[:3], axis=0).max())
    if codes[0] == codes[1] and apart > _APART * float(steps[1].min()):
        raise contradiction(
            "transforms-disagree",
            f"its qform and its sform put a corner {apart:.4g} apart, where a voxel is {float(steps[1].min()):.4g} wide",
            path,
            "find out which is right, and write it into both",
        )


def _traces(header: Any, block: bytes, stream: IO[bytes], offset: int) -> Traces:
    """Free text in the header, and extensions, which may hold a whole DICOM header."""
    found = Traces()
    for name in ("descrip", "aux_file", "intent_name", "db_name"):
        if name in header.keys():  # noqa: SIM118 - the header is no mapping
            text = bytes(header[name].tobytes()).split(b"\0")[0].decode("latin-1").strip()
            found += free_text(f"NIfTI {name}", text, identity=name in NAME_FIELDS)
    length = 540 if block[4:7] in (b"n+2", b"ni2") else 348
    order = header.endianness
    stream.seek(length)
    extender = stream.read(4)
    at = length + 4
    for _ in range(_MOST_EXTENSIONS):
        head = stream.read(8) if extender[:1] not in (b"", b"\0") and at + 8 <= offset else b""
        if len(head) < 8:
            break
        size, code = struct.unpack(f"{order}ii", head)
        if size < 8:
            break
        if code == _DICOM_EXTENSION:
            found += Traces(("NIfTI extension 2 (DICOM header)",))
        else:
            found += Traces(risks=(f"NIfTI extension {code} may hold free text",))
        at += size
        stream.seek(at)
    return found
