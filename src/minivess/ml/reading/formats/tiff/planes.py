"""Decoding of one TIFF plane within the size its tags announce: stored, PackBits, LZW, Deflate, Zstandard and JPEG.

Sources: TIFF 6.0, sections 9, 13 and 14; Adobe's technical notes for JPEG (2, 1995) and for differences of real numbers (3,
2005). Each decoder stops at the size of the strip or tile, so a file cannot make memory grow beyond the volume that was
checked. The decoder process decodes Zstandard and JPEG.
"""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.ml.reading.contradictions import contradiction, inflate
from minivess.ml.reading.decoders.code_streams import frame_header
from minivess.ml.reading.decoders.frames import Packed, decode

_STORED, _LZW, JPEG, _DEFLATE, _PACKBITS, ZSTD = 1, 5, 7, (8, 32946), 32773, (50000, 34926)
_DIFFERENCES, _REAL_DIFFERENCES = 2, 3
"""Predictors (TIFF 6.0, section 14, and Adobe's technical note 3)."""
_LZW_HEAD = 8 + 2 + 9 * 12 + 4
"""Bytes before the packed data in the file made for libtiff: header, number of tags, nine tags, no next page."""


@dataclass(frozen=True)
class Plane:
    """Where one plane lies in its file and how it is stored. `shape` is (y, x), `tile` likewise; `samples` are the
    values of a pixel of `bits` bits each, side by side or (`planar`) in a plane each; `white`: 0 is white; `number` counts
    from 1; `tables` are JPEG tables, and `luminance` says that a JPEG holds luminance and chrominance."""

    number: int
    shape: tuple[int, int]
    samples: int
    dtype: np.dtype[np.generic]
    compression: int
    predictor: int
    fill_order: int
    rows: int
    tile: tuple[int, int] | None
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    bits: int
    planar: bool = False
    white: bool = False
    tables: bytes = b""
    luminance: bool = False

    @property
    def layout(self) -> tuple[object, ...]:
        """What all pages of a stack have in common."""
        return self.shape, self.dtype, self.samples, self.bits, self.white


def follow_each_other(planes: list[Plane], size: int) -> bool:
    """Whether all planes are stored as they are, whole, in order and without a gap, within a file of `size` bytes."""
    at = planes[0].offsets[0] if planes[0].offsets else -1
    for plane in planes:
        whole = plane.shape[0] * plane.shape[1] * plane.samples * plane.dtype.itemsize
        if (plane.compression, plane.predictor, plane.fill_order, plane.tile) != (_STORED, 1, 1, None):
            return False
        if plane.bits == 1 or plane.planar or plane.white:
            return False
        if len(plane.offsets) != len(plane.counts) or sum(plane.counts) != whole:
            return False
        for offset, count in zip(plane.offsets, plane.counts, strict=True):
            if offset != at or count < 0:
                return False
            at += count
    return 0 <= at <= size


def decode_plane(stream: IO[bytes], plane: Plane, path: Path) -> npt.NDArray[np.generic]:
    """The plane's voxels (y, x), or (y, x, colour).

    Raises:
        InputError: truncated, damaged, or stored in a way that is not read here.
    """
    _check_form(plane, path)
    if plane.planar:
        each = len(plane.offsets) // plane.samples
        parts = [
            replace(
                plane,
                samples=1,
                planar=False,
                offsets=plane.offsets[at : at + each],
                counts=plane.counts[at : at + each],
            )
            for at in range(0, each * plane.samples, each or 1)
        ]
        if not each or len(plane.offsets) != each * plane.samples:
            raise InputError(f"page {plane.number} has {len(plane.offsets)} blocks", path=path)
        return np.stack([decode_plane(stream, part, path) for part in parts], axis=-1)
    height, width = plane.shape
    block = plane.tile or (min(plane.rows, height), width)
    if min(block) < 1 or block[0] * block[1] > 4 * height * width + 65536:
        raise InputError(f"page {plane.number} has blocks of {block} pixels", path=path)
    across, down = -(-width // block[1]), -(-height // block[0])
    if len(plane.offsets) != across * down or len(plane.counts) != across * down:
        raise InputError(f"page {plane.number} has {len(plane.offsets)} blocks, not {across * down}", path=path)
    out = np.empty((*plane.shape, plane.samples), dtype=plane.dtype)
    for index, (offset, count) in enumerate(zip(plane.offsets, plane.counts, strict=True)):
        y, x = index // across * block[0], index % across * block[1]
        rows = block[0] if plane.tile else min(block[0], height - y)
        part = _block(stream, (offset, count), (rows, block[1], plane.samples), plane, path)
        out[y : y + rows, x : x + block[1]] = part[: height - y, : width - x]
    if plane.white:
        out = (1 if plane.bits == 1 else 2**plane.bits - 1) - out
    return out if plane.samples > 1 else out[..., 0]


def _check_form(plane: Plane, path: Path) -> None:
    if plane.compression not in (_STORED, _LZW, JPEG, *_DEFLATE, _PACKBITS, *ZSTD):
        raise InputError(
            f"page {plane.number} is compressed by method {plane.compression}",
            path=path,
            hint="save it uncompressed, or with LZW, Deflate, Zstandard, JPEG or PackBits",
        )
    real = plane.dtype.kind == "f"
    if plane.predictor not in (1, _REAL_DIFFERENCES if real else _DIFFERENCES) or plane.fill_order != 1:
        raise InputError(f"page {plane.number} has predictor {plane.predictor}", path=path, hint="save it uncompressed")
    if plane.compression == JPEG and (plane.bits, plane.predictor) != (8, 1):
        raise InputError(f"page {plane.number} is a JPEG of {plane.bits} bits", path=path, hint="save it uncompressed")


def _block(
    stream: IO[bytes], place: tuple[int, int], shape: tuple[int, int, int], plane: Plane, path: Path
) -> npt.NDArray[np.generic]:
    """The values of a strip or tile: rows, columns, values a pixel."""
    rows, columns, samples = shape
    line = -(-columns // 8) if plane.bits == 1 else columns * samples * plane.dtype.itemsize
    needed = rows * line
    stored = _stored(stream, place, needed, plane, path)
    most = needed if plane.tile else -(-needed // rows) * plane.rows
    if plane.compression == _STORED and needed < place[1] != most:
        raise contradiction(
            "pages-missing",
            f"page {plane.number} has a block of {place[1]} bytes, and {needed} bytes of pixels are stored in it",
            path,
            "save it as TIFF again",
        )
    data = _jpeg(stored, shape, plane, path) if plane.compression == JPEG else _unpack(stored, needed, plane, path)
    if len(data) < needed:
        raise InputError(f"page {plane.number} is truncated", path=path, hint="copy the file again")
    if plane.predictor == _REAL_DIFFERENCES:
        return _from_differences(data[:needed], shape, plane.dtype)
    part = np.frombuffer(data[:needed], dtype=plane.dtype)
    if plane.bits == 1:
        part = np.unpackbits(part.view(np.uint8).reshape(rows, line), axis=1, count=columns)
    part = part.reshape(shape)
    if plane.predictor == _DIFFERENCES:
        return np.cumsum(part, axis=1, dtype=plane.dtype.newbyteorder("="))
    return part


def _stored(stream: IO[bytes], place: tuple[int, int], needed: int, plane: Plane, path: Path) -> bytes:
    offset, count = place
    if offset < 0 or not 0 <= count <= 2 * needed + 4096:
        raise InputError(f"page {plane.number} announces {count} bytes for {needed}", path=path)
    stream.seek(offset)
    return stream.read(count)


def _unpack(data: bytes, needed: int, plane: Plane, path: Path) -> bytes:
    compression = plane.compression
    if compression == _STORED:
        return data
    if compression == _PACKBITS:
        return _packbits(data, needed)
    if compression == _LZW:
        return _lzw(data, needed)
    if compression in ZSTD:
        packed = Packed("zstd", data, (needed,), np.dtype(np.uint8))
        return decode(packed, f"page {plane.number}", path).tobytes()
    return inflate(data, needed, f"page {plane.number}", path)


def _jpeg(data: bytes, shape: tuple[int, int, int], plane: Plane, path: Path) -> bytes:
    """The values of a strip or tile (TIFF technical note 2), after its own header was compared with its `shape`."""
    try:
        header = frame_header(data)
    except ValueError as error:
        raise InputError(f"page {plane.number} is not read: {error}", path=path, hint="save it again") from None
    if (header.rows, header.columns, header.samples, header.bits) != (*shape, 8):
        raise contradiction(
            "pages-missing",
            f"page {plane.number} holds a JPEG of {header.rows} x {header.columns} pixels with {header.samples} values of "
            f"{header.bits} bits, and its tags state {shape[0]} x {shape[1]} with {shape[2]} of 8",
            path,
            "save it again",
        )
    luminance = plane.luminance or b"JFIF" in data[:32]  # JFIF holds luminance and chrominance, whatever the tags state
    colours = ("YCBCR" if luminance else "RGB", "RGB") if plane.samples == 3 else None
    tables = plane.tables if plane.tables.startswith(b"\xff\xd8") else b""
    packed = Packed("jpeg", data, shape, np.dtype(np.uint8), tables=tables, colours=colours)
    return decode(packed, f"page {plane.number}", path).tobytes()


def _from_differences(data: bytes, shape: tuple[int, int, int], dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Real numbers of which each row holds all first bytes, then all second bytes, as differences of neighbours.

    Args:
        data: the rows.
        shape: rows, columns, values a pixel.
        dtype: type of the values.
    """
    rows, columns, samples = shape
    apart = np.frombuffer(data, np.uint8).reshape(rows, -1, samples)
    together = np.cumsum(apart, axis=1, dtype=np.uint8).reshape(rows, dtype.itemsize, columns * samples)
    big_endian = np.ascontiguousarray(together.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return big_endian.reshape(shape).astype(dtype)


def _packbits(data: bytes, needed: int) -> bytes:
    out = bytearray()
    at = 0
    while at + 1 < len(data) and len(out) < needed:
        count = data[at]
        if count < 128:
            out += data[at + 1 : at + 2 + count]
            at += 2 + count
        elif count > 128:
            out += data[at + 1 : at + 2] * (257 - count)
            at += 2
        else:
            at += 1
    return bytes(out)


def _lzw(data: bytes, needed: int) -> bytes:
    """Unpack LZW (TIFF 6.0, section 13) by libtiff, to which it is handed as a picture of one row in a file of its own."""
    from PIL import Image

    tags = {256: needed, 257: 1, 258: 8, 259: _LZW, 262: 1, 273: _LZW_HEAD, 277: 1, 278: 1, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(head + data), formats=("TIFF",)) as row:
            return bytes(row.tobytes())
