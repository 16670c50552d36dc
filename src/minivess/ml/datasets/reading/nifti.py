"""NIfTI-1 and NIfTI-2 volumes (`.nii`, `.nii.gz`): the header is checked first, voxels are read only when it holds.

nibabel knows the header; the voxels are read here, so that no more is unpacked than the header announces.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.ml.datasets.reading.volume import (
    Limits,
    Spacing,
    Volume,
    check_dtype,
    check_shape,
    check_spacing,
    file_size,
    first_line,
)

_LARGEST_OFFSET = 16 * 1024**2
_UNITS = {0: None, 1: 1e6, 2: 1e3, 3: 1.0}
"""Micrometres in one unit, by the lower three bits of `xyzt_units` (NIfTI-1, "Units of spatial and temporal
dimensions")."""


def read_nifti(path: Path, limits: Limits) -> Volume:
    """Read one volume; axes (x, y, z) of the file become (z, y, x).

    Raises:
        InputError: malformed, truncated, not three-dimensional, no grey values, or beyond the limits.
    """
    size = file_size(path, limits)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            return _read(cast("IO[bytes]", stream), path, limits, None if packed else size)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"not readable: {first_line(error)}", path=path, hint="copy the file again; it looks damaged"
        ) from None


def _read(stream: IO[bytes], path: Path, limits: Limits, size: int | None) -> Volume:
    header = _header(stream.read(540), path)
    shape = tuple(int(n) for n in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    x, y, z = check_shape(shape, path, limits)
    dtype = header.get_data_dtype()
    check_dtype(dtype, path)
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _LARGEST_OFFSET or offset != int(offset):
        raise InputError(f"voxels at offset {offset:g} make no sense", path=path)
    needed = x * y * z * dtype.itemsize
    if size is not None and size < offset + needed:
        raise InputError(
            f"truncated: {size} bytes where {int(offset) + needed} are announced", path=path, hint="copy the file again"
        )
    stream.seek(int(offset))
    data = stream.read(needed)
    if len(data) != needed:
        raise InputError(f"truncated: {len(data)} of {needed} bytes of voxels", path=path, hint="copy the file again")
    array = np.frombuffer(data, dtype=dtype).reshape((x, y, z), order="F").transpose(2, 1, 0)
    return Volume(_scaled(array, header, path), _spacing(header, path), dtype.name, _affine(header, path))


def _header(block: bytes, path: Path) -> Any:
    import nibabel
    from nibabel.spatialimages import HeaderDataError

    sizes = {b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"}, {b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"}
    if block[:4] in sizes[0] and block[344:348] == b"n+1\0":
        kind, length = nibabel.Nifti1Header, 348
    elif block[:4] in sizes[1] and block[4:8] == b"n+2\0":
        kind, length = nibabel.Nifti2Header, 540
    else:
        raise InputError("not a NIfTI file", path=path, hint="header and voxels must be one .nii or .nii.gz file")
    try:
        header = kind(block[:length], check=False)
        if not 1 <= int(header["dim"][0]) <= 7:
            raise InputError(f"{int(header['dim'][0])} dimensions in the header", path=path)
        header.get_data_dtype()
        header.get_data_shape()
    except (HeaderDataError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"malformed NIfTI header: {first_line(error)}", path=path) from None
    return header


def _scaled(array: npt.NDArray[Any], header: Any, path: Path) -> npt.NDArray[Any]:
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or np.isnan(slope) or (slope, intercept) == (1.0, 0.0):
        return array
    if not np.isfinite([slope, intercept]).all():
        raise InputError(f"scaling by {slope} and {intercept} is impossible", path=path)
    with np.errstate(all="ignore"):
        return (array.astype(np.float64) * slope + intercept).astype(np.float32)


def _spacing(header: Any, path: Path) -> Spacing | None:
    unit = int(header["xyzt_units"]) % 8
    if unit not in _UNITS:
        raise InputError(f"unknown code {unit} for the unit of length", path=path, hint="use 2 (mm) or 3 (µm)")
    factor = _UNITS[unit]
    if factor is None:
        return None
    x, y, z = (round(abs(float(value)) * factor, 6) for value in header["pixdim"][1:4])
    return check_spacing((z, y, x), path)


def _affine(header: Any, path: Path) -> npt.NDArray[np.float64] | None:
    try:
        if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
            return None
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        raise InputError(f"malformed orientation: {first_line(error)}", path=path) from None
    if not np.isfinite(affine).all():
        raise InputError("the orientation matrix is not finite", path=path)
    return affine
