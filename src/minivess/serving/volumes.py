"""Volumes as clients send them: NumPy's `.npy` format, read with its header checked before any array is made.

Format: NumPy Enhancement Proposal 1 (versions 1.0 and 2.0). Pickled objects, colour, complex numbers and anything whose
size does not follow from its header are refused.
"""

from __future__ import annotations

import base64
import gzip
import io
from dataclasses import dataclass
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

Spacing = tuple[float, float, float]

_HEADER_LIMIT = 4096
_HINT = "save the volume with numpy.save(file, array.astype('float32')), axes (z, y, x)"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_BROKEN = (ValueError, SyntaxError, TokenError, EOFError, TypeError, KeyError, MemoryError, RecursionError)


@dataclass(frozen=True)
class Limits:
    """How much the service takes in.

    Attributes:
        body_bytes: largest request body.
        voxels: largest volume.
    """

    body_bytes: int = 256 << 20
    voxels: int = 64 << 20


@implements("REQ-029", "RC-10")
def parse_npy(data: bytes, limits: Limits) -> NDArray[np.float32]:
    """Read a volume (z, y, x) of whole or real numbers from `.npy` bytes, as float32.

    Raises:
        InputError: what is wrong with the bytes, and how to make good ones.
    """
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
    except ValueError:
        raise InputError("the file is no .npy file", hint=_HINT) from None
    reader = _READERS.get(version)
    if reader is None:
        raise InputError(f"version {version[0]}.{version[1]} of the .npy format is not taken", hint=_HINT)
    try:
        shape, fortran, dtype = reader(stream, max_header_size=_HEADER_LIMIT)
    except _BROKEN:
        raise InputError("the header of the .npy file is malformed", hint=_HINT) from None
    if dtype.hasobject or dtype.kind not in "uif" or dtype.itemsize > 8:
        raise InputError("the voxels are no single real numbers", hint=_HINT)
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"the array has shape {shape} where three axes (z, y, x) are needed", hint=_HINT)
    voxels = int(shape[0]) * int(shape[1]) * int(shape[2])
    if voxels > limits.voxels:
        raise InputError(f"{voxels} voxels are more than the {limits.voxels} taken at once", hint="send it in blocks")
    if len(data) - stream.tell() != voxels * dtype.itemsize:
        raise InputError("the file is shorter or longer than its header says", hint="send the whole file, unchanged")
    values = np.frombuffer(data, dtype=dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore", invalid="ignore"):
        volume = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(volume).all():
        raise InputError("the volume holds NaN, infinity or numbers too large", hint="repair the damaged voxels")
    return volume


@implements("REQ-029")
def parse_spacing(text: str) -> Spacing:
    """Read a spacing "z,y,x" in micrometres, for example `5,1,1`.

    Raises:
        InputError: it is not three positive numbers below one metre.
    """
    parts = text.split(",") if len(text) <= 100 else []
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        numbers = ()
    if len(numbers) != 3 or not all(np.isfinite(number) and 0 < number < 1e6 for number in numbers):
        raise InputError(
            "`spacing_um` is not three positive numbers", hint="send micrometres as z,y,x: for example 5,1,1"
        )
    return numbers[0], numbers[1], numbers[2]


def pack_mask(mask: NDArray[np.uint8]) -> str:
    """A mask as base64 of gzipped `.npy` bytes; the same mask gives the same text."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(mask), version=(1, 0), allow_pickle=False)
    return base64.b64encode(gzip.compress(stream.getvalue(), compresslevel=3, mtime=0)).decode("ascii")
