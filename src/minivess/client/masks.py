"""Masks of an answer as arrays, read with limits and without evaluating anything."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

_GZIP = 16 + zlib.MAX_WBITS
_HEADER = 4096
_NUMBERS = (np.dtype("<f2"), np.dtype("<f4"))
WRONG = "a mask of the answer is malformed"


@implements("REQ-485")
def mask_bytes(text: str) -> bytes:
    """The file of a mask, from base64.

    Raises:
        InputError: it is no base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(WRONG) from None


@implements("REQ-485")
def mask_array(data: bytes, name: str, shape: tuple[int, ...], *, limit: int) -> NDArray[np.uint8] | None:
    """A mask as uint8 of the stated shape; None where its format is none that this client reads.

    Args:
        data: the file.
        name: of the format.
        shape: as the answer states it.
        limit: voxels that are taken.

    Raises:
        InputError: the file is malformed, or of another shape, or larger than the limit.
    """
    if not shape or min(shape) < 1 or math.prod(shape) > limit:
        raise InputError("the shape of the mask is malformed or too large")
    decode = DECODERS.get(name)
    if decode is None:
        return None
    try:
        mask = decode(data, shape)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError, zlib.error):
        raise InputError(WRONG) from None
    if mask.shape != shape or mask.dtype != np.uint8:
        raise InputError(f"{WRONG}: its shape is another one than the answer states")
    return mask


@implements("REQ-485")
def output_array(data: bytes, shape: tuple[int, ...], *, limit: int) -> NDArray[np.floating]:
    """A further output of an answer as float16 or float32 of the stated shape.

    Args:
        data: a gzipped `.npy`.
        shape: as the answer states it.
        limit: bytes that are taken.

    Raises:
        InputError: the file is malformed, or of another shape, or larger than the limit.
    """
    if not shape or min(shape) < 1 or 4 * math.prod(shape) > limit:
        raise InputError("the shape of an output is malformed or too large")
    try:
        found: NDArray[np.floating] = _array(data, shape, _NUMBERS)
    except (ValueError, TypeError, OverflowError, zlib.error):
        raise InputError("an output of the answer is malformed") from None
    return found


def _npy(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    found: NDArray[np.uint8] = _array(data, shape, (np.dtype(np.uint8),))
    return found


def _array(data: bytes, shape: tuple[int, ...], allowed: tuple[np.dtype[Any], ...]) -> NDArray[Any]:
    unpacker = zlib.decompressobj(_GZIP)
    plain = unpacker.decompress(data, max(one.itemsize for one in allowed) * math.prod(shape) + _HEADER)
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError
    stream = io.BytesIO(plain)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError
    stated, by_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if stated != shape or by_columns or dtype not in allowed:
        raise ValueError
    return np.frombuffer(plain, dtype, offset=stream.tell()).reshape(shape)


def _runs(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    stated = json.loads(data)
    runs = np.array(stated["runs"], dtype=np.int64).reshape(-1, 2)
    values, lengths = runs[:, 0], runs[:, 1]
    if tuple(stated["shape"]) != shape or lengths.min() < 0 or lengths.max() > math.prod(shape):
        raise ValueError
    if lengths.sum() != math.prod(shape) or values.min() < 0 or values.max() > 255:
        raise ValueError
    return np.repeat(values.astype(np.uint8), lengths).reshape(shape)


DECODERS: Mapping[str, Callable[[bytes, tuple[int, ...]], NDArray[np.uint8]]] = {"npy": _npy, "rle": _runs}
"""The formats of masks that the client reads. A new format is a function and its row."""
