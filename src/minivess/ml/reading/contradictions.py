"""What a reader does with a file that contradicts itself.

A file states many things twice: its voxels and their checksum, one place in two transforms, one patient in every slice.
Where the second statement contradicts the first, no reading of the file is known to be right, and it is refused under a
rule (`contradiction`). Where the reading is right but the source may not be what it seems, the case keeps a doubt, which
validation reports under its rule. The rules are in `ml/quality/rules.csv`.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import Doubt

_CHUNK = 1 << 20
_MOST_REST = 64 << 20
EXACT = 2**24
"""Every whole number up to here is exact in float32 (IEEE 754: 24 bits of significand)."""


@implements("REQ-281", "RC-128")
def contradiction(rule: str, message: str, path: Path, hint: str = "") -> InputError:
    """The error of a file that contradicts itself; its message ends in the rule."""
    return InputError(f"{message} (rule {rule})", path=path, hint=hint, rule=rule)


def lossy(message: str) -> Doubt:
    """The doubt of values that went through lossy compression."""
    return Doubt(rule="source-lossy", message=message)


def trailing(rest: int, after: str) -> tuple[Doubt, ...]:
    """The doubt of bytes that no field of the file accounts for; none where `rest` is 0.

    Args:
        rest: number of bytes.
        after: what they follow.
    """
    return (Doubt(rule="bytes-left-over", message=f"{rest} bytes after {after} are not accounted for"),) if rest else ()


def rest_of_gzip(stream: IO[bytes], path: Path) -> int:
    """Unpack and drop what is left of a gzip stream, so that its CRC-32 and size are checked (RFC 1952, 2.3.1).

    Returns:
        Number of bytes that were left.

    Raises:
        InputError: the checksum or the size does not fit, the stream has no end, or too much is left.
    """
    rest = 0
    try:
        while chunk := stream.read(_CHUNK):
            rest += len(chunk)
            if rest > _MOST_REST:
                raise contradiction(
                    "bytes-left-over", f"more than {_MOST_REST} bytes after the voxels", path, "save the file again"
                )
    except (gzip.BadGzipFile, zlib.error):
        raise contradiction(
            "checksum",
            "the checksum or size at the end of the gzip stream does not fit its content",
            path,
            "copy the file again; it is damaged",
        ) from None
    return rest


def inflate(data: bytes, needed: int, what: str, path: Path) -> bytes:
    """Unpack a zlib stream (RFC 1950) to its end, so that its Adler-32 is checked.

    Args:
        data: the stream.
        needed: number of bytes that are used; the stream may hold as many again (a padded last strip).
        what: names the stream in an error.
        path: the file at fault.

    Raises:
        InputError: the checksum does not fit, or the stream has no end.
    """
    unpacker, rest = zlib.decompressobj(), 0
    try:
        out = unpacker.decompress(data, needed)
        while not unpacker.eof and rest <= needed + _CHUNK:
            more = len(unpacker.decompress(unpacker.unconsumed_tail, _CHUNK))
            if not more and not unpacker.eof:
                break
            rest += more
    except zlib.error:
        raise contradiction(
            "checksum", f"{what} is damaged: its checksum does not fit", path, "copy the file again"
        ) from None
    if rest > needed + _CHUNK:
        raise contradiction("bytes-left-over", f"{what} unpacks to more than the {needed} bytes of its size", path)
    if not unpacker.eof:
        raise contradiction("checksum", f"{what} is truncated before its checksum", path, "copy the file again")
    return out


@implements("REQ-282")
def precision(array: npt.NDArray[Any], as_float32: npt.NDArray[np.float32]) -> tuple[Doubt, ...]:
    """The doubt of values that float32 rounds: whole numbers beyond `EXACT`, and real ones that lie close together.

    Rounding of real numbers counts where it exceeds a thousandth of their standard deviation.

    Args:
        array: values of the file, any shape.
        as_float32: the same as float32.
    """
    kind = array.dtype.kind
    if kind not in "iuf" or array.dtype.itemsize < (8 if kind == "f" else 4) or not array.size:
        return ()
    if kind == "f":
        apart = np.abs(as_float32.astype(np.float64) - array)
        small = float(array.std()) / 1000 if (np.rint(array) != array).any() else 0.0
        changed = int(np.count_nonzero(apart > small))
    elif max(abs(int(array.min())), abs(int(array.max()))) <= EXACT:
        return ()
    else:
        with np.errstate(all="ignore"):
            back = as_float32.astype(np.float64 if array.dtype.itemsize == 4 else array.dtype)
        changed = int(np.count_nonzero(back != array))
    if not changed:
        return ()
    message = f"{changed} voxels of type {array.dtype.name} lose digits in float32, which is exact up to {EXACT}"
    return (Doubt(rule="precision-lost", message=message),)
