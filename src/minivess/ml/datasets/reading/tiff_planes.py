"""Decoding of one TIFF plane within the size its tags announce: stored, PackBits, LZW and Deflate (TIFF 6.0, 9 and 13).

Each decoder stops at the size of the strip or tile, so a file cannot make memory grow beyond the volume that was
checked.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError

_STORED, _LZW, _DEFLATE, _PACKBITS = 1, 5, (8, 32946), 32773


@dataclass(frozen=True)
class Plane:
    """Where one plane lies in its file and how it is stored. `shape` is (y, x), `tile` likewise; `number` counts
    from 1."""

    number: int
    shape: tuple[int, int]
    dtype: np.dtype[np.generic]
    compression: int
    predictor: int
    fill_order: int
    rows: int
    tile: tuple[int, int] | None
    offsets: tuple[int, ...]
    counts: tuple[int, ...]


def decode_plane(stream: IO[bytes], plane: Plane, path: Path) -> npt.NDArray[np.generic]:
    """The plane's voxels (y, x).

    Raises:
        InputError: truncated, damaged, or stored in a way that is not read here.
    """
    if plane.compression not in (_STORED, _LZW, *_DEFLATE, _PACKBITS):
        raise InputError(
            f"page {plane.number} is compressed by method {plane.compression}",
            path=path,
            hint="save it uncompressed, or with LZW, Deflate or PackBits",
        )
    if plane.predictor not in (1, 2) or (plane.predictor == 2 and plane.dtype.kind == "f") or plane.fill_order != 1:
        raise InputError(f"page {plane.number} has predictor {plane.predictor}", path=path, hint="save it uncompressed")
    height, width = plane.shape
    block = plane.tile or (min(plane.rows, height), width)
    if min(block) < 1 or block[0] * block[1] > 4 * height * width + 65536:
        raise InputError(f"page {plane.number} has blocks of {block} pixels", path=path)
    across, down = -(-width // block[1]), -(-height // block[0])
    if len(plane.offsets) != across * down or len(plane.counts) != across * down:
        raise InputError(f"page {plane.number} has {len(plane.offsets)} blocks, not {across * down}", path=path)
    out = np.empty(plane.shape, dtype=plane.dtype)
    for index, (offset, count) in enumerate(zip(plane.offsets, plane.counts, strict=True)):
        y, x = index // across * block[0], index % across * block[1]
        rows = block[0] if plane.tile else min(block[0], height - y)
        needed = rows * block[1] * plane.dtype.itemsize
        data = _unpack(_stored(stream, (offset, count), needed, plane, path), needed, plane.compression)
        if len(data) < needed:
            raise InputError(f"page {plane.number} is truncated", path=path, hint="copy the file again")
        part = np.frombuffer(data[:needed], dtype=plane.dtype).reshape(rows, block[1])
        if plane.predictor == 2:
            part = np.cumsum(part, axis=1, dtype=plane.dtype.newbyteorder("="))
        out[y : y + rows, x : x + block[1]] = part[: height - y, : width - x]
    return out


def _stored(stream: IO[bytes], place: tuple[int, int], needed: int, plane: Plane, path: Path) -> bytes:
    offset, count = place
    if offset < 0 or not 0 <= count <= 2 * needed + 4096:
        raise InputError(f"page {plane.number} announces {count} bytes for {needed}", path=path)
    stream.seek(offset)
    return stream.read(count)


def _unpack(data: bytes, needed: int, compression: int) -> bytes:
    if compression == _STORED:
        return data
    if compression == _PACKBITS:
        return _packbits(data, needed)
    if compression == _LZW:
        return _lzw(data, needed)
    return zlib.decompressobj().decompress(data, needed)


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
    """TIFF's LZW: codes of 9 to 12 bits, most significant bit first, widened one code early (TIFF 6.0, section 13)."""
    start = [bytes((value,)) for value in range(256)] + [b"", b""]
    table, previous, width = list(start), b"", 9
    out: list[bytes] = []
    length = bits = held = 0
    for byte in data:
        held = held << 8 | byte
        bits += 8
        if bits < width:
            continue
        bits -= width
        code = held >> bits
        held &= (1 << bits) - 1
        if code == 256:
            table, previous, width = list(start), b"", 9
            continue
        if code == 257 or length >= needed:
            break
        if code < len(table):
            piece = table[code]
            if previous:
                table.append(previous + piece[:1])
        elif code == len(table) and previous:
            piece = previous + previous[:1]
            table.append(piece)
        else:
            raise ValueError("an LZW code that was never defined")
        out.append(piece)
        length += len(piece)
        previous = piece
        if len(table) >= (1 << width) - 1 and width < 12:
            width += 1
        if len(table) > 4096 + 1:
            raise ValueError("an LZW table that overflows")
    return b"".join(out)
