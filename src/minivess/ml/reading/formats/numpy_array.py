"""NumPy's `.npy` files (format 1 to 3), mapped from the disk; pickled objects are refused."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.ml.reading.contradictions import trailing
from minivess.ml.reading.volume import (
    Limits,
    Volume,
    check_dtype,
    check_shape,
    fault_in_words,
    file_size,
    mapped,
)
from minivess.records.data.dataset import Axes

_AXES: dict[int, Axes] = {2: "yx", 3: "zyx"}
_HEADER = 1 << 17
_COLOURED: dict[int, Axes] = {3: "yxc", 4: "zyxc"}


def read_npy(path: Path, limits: Limits) -> Volume:
    """Read an array of two axes (y, x) or three (z, y, x); bytes whose last axis has three values are colour.

    Raises:
        InputError: malformed, truncated, another number of axes, no numbers, or beyond the limits.
    """
    array = map_npy(path, limits)
    coloured = array.ndim in _COLOURED and array.dtype == np.uint8 and array.shape[-1] == 3
    check_shape(array.shape[:-1] if coloured else array.shape, path, limits, colours=3 if coloured else 1)
    axes = (_COLOURED if coloured else _AXES)[array.ndim]
    notes = ("the last axis was read as red, green, blue",) if coloured else ()
    rest = path.stat().st_size - int(getattr(array, "offset", 0)) - array.nbytes
    return Volume(array, axes, array.dtype.name, "NumPy", notes=notes, doubts=trailing(rest, "the array"))


def parse_npy(data: bytes, shown: str) -> npt.NDArray[np.generic]:
    """An array of numbers from the bytes of a `.npy` file, read-only and without a copy.

    Args:
        data: the bytes.
        shown: how an error names them.

    Raises:
        InputError: malformed, truncated or no numbers.
    """
    from numpy.lib import format as npy

    try:
        stream = io.BytesIO(memoryview(data)[:_HEADER])
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = read(stream)
        if dtype.hasobject:
            raise ValueError("it holds objects")
        return np.ndarray(shape, dtype, data, stream.tell(), order="F" if fortran else "C")
    except Exception as error:
        # the header is Python source, and a damaged one fails in the tokenizer, the parser or the type system
        raise InputError(
            f"malformed .npy file: {fault_in_words(error)}", path=shown, hint="ingest the case again"
        ) from None


def map_npy(path: Path, limits: Limits) -> npt.NDArray[np.generic]:
    """Map an array of up to four axes from the disk, read-only.

    Raises:
        InputError: malformed, truncated, no numbers, or beyond the limits.
    """
    from numpy.lib import format as npy

    size = file_size(path, limits)
    try:
        with path.open("rb") as file:
            stream = io.BytesIO(file.read(_HEADER))  # so that its length field can ask for no more
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = read(stream)
        offset = stream.tell()
        check_dtype(dtype, path)
        if not 2 <= len(shape) <= 4:
            check_shape(shape, path, limits)
        check_shape(shape[:2], path, limits, colours=math.prod(shape[2:]))
        if min(shape) < 1:
            raise InputError(f"the shape {shape} has an empty axis", path=path)
        if size - offset < math.prod(shape) * dtype.itemsize:
            raise InputError("truncated", path=path, hint="copy the file again", rule="file-truncated")
        return mapped(path, dtype, offset, shape, fortran=fortran)
    except InputError:
        raise
    except Exception as error:
        # the header is Python source, and a damaged one fails in the tokenizer, the parser or the type system
        raise InputError(
            f"malformed .npy file: {fault_in_words(error)}", path=path, hint="save the array again"
        ) from None
