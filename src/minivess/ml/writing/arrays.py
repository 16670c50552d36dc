"""Real numbers on the voxels of an image, as a file that is made piece by piece: probabilities and disagreement."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements
from minivess.ml.writing.nifti import nifti_head
from minivess.ml.writing.npy import npy_head

ArrayFormat = Literal["npy", "nifti"]
NumberType = Literal["float16", "float32"]

PIECE = 1 << 18
"""Numbers that are converted and compressed at a time."""


def number_pieces(values: NDArray[np.floating], kind: NumberType) -> Iterator[memoryview]:
    """Little-endian numbers in C order, at most `PIECE` at a time.

    Args:
        values: any strides; nothing of them is changed.
        kind: what they are converted to.
    """
    if values.size <= PIECE or values.ndim == 1:
        plain = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))
        yield plain.reshape(-1).view(np.uint8).data
        return
    each = values[0].size
    if each >= PIECE:
        for part in values:
            yield from number_pieces(part, kind)
        return
    step = PIECE // each
    for start in range(0, len(values), step):
        yield from number_pieces(values[start : start + step], kind)


@implements("REQ-432", "REQ-436")
def array_file(
    values: NDArray[np.floating],
    name: ArrayFormat,
    kind: NumberType,
    *,
    spacing: tuple[float, ...] | None,
    affine: NDArray[np.float64] | None,
    channels: bool,
) -> Iterator[bytes]:
    """A gzipped file, in pieces: neither the file nor converted numbers are whole in memory. The same values give the same bytes.

    Args:
        values: of any real type.
        name: `npy`: the array as it is. `nifti`: see `nifti_head`.
        kind: of the numbers in the file. NIfTI knows no float16.
        spacing: micrometres along each axis of the grid; None: no physical size is known.
        affine: from indices (z, y, x, 1) to right-anterior-superior micrometres, where known.
        channels: whether the first axis is that of channels, before those of the grid.
    """
    nifti = name == "nifti"
    head = (
        nifti_head(values.shape, np.dtype(kind), spacing=spacing, affine=affine, channels=channels)
        if nifti
        else npy_head(values.shape, np.dtype(kind).newbyteorder("<"))
    )
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1, mtime=0) as packed:
        packed.write(head)
        for piece in number_pieces(values, kind):
            packed.write(piece)
            yield stream.getvalue()
            stream.seek(0)
            stream.truncate()
    yield stream.getvalue()
