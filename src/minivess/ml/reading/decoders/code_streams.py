"""What the header of a code stream announces, read before anything is decoded.

JPEG and lossless JPEG (ISO/IEC 10918-1, B.2.2), JPEG-LS (ISO/IEC 14495-1, C.2.2), and JPEG 2000 with or without the boxes
of a JP2 file (ISO/IEC 15444-1, A.5.1 and I.5.3.1).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

_START, _SCAN, _LS, _LOSSLESS = 0xD8, 0xDA, 0xF7, 0xC3
_FRAMES = frozenset({0xC0, 0xC1, 0xC2, _LOSSLESS, _LS})
"""Frame headers that are decoded: baseline, extended, progressive and lossless JPEG with Huffman coding, and JPEG-LS."""
_OTHER_FRAMES = frozenset(range(0xC5, 0xD0)) - {0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8), _START})
_J2K, _JP2_BOX = b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  "
_MOST_SCANS = 100
"""Scans of a JPEG: a progressive one has about ten, and each costs the whole picture's time."""

_PADDING = 1024


@dataclass(frozen=True)
class FrameHeader:
    """Bits of a value, rows, columns and values a pixel; `exact`: the process changes no value."""

    bits: int
    rows: int
    columns: int
    samples: int
    exact: bool


def frame_header(data: bytes) -> FrameHeader:
    """The frame header of a code stream.

    Raises:
        ValueError: none is found, the stream has no end, the process is not decoded, or the stream has too many scans.
    """
    if data.startswith((_J2K, _JP2_BOX)):
        return _of_jpeg_2000(data)
    if data[:2] != b"\xff\xd8":
        raise ValueError("it begins with no mark of JPEG, JPEG-LS or JPEG 2000")
    if data.rfind(b"\xff\xd9", -_PADDING) < 0:
        raise ValueError("it is truncated: it has no end of image (marker FFD9)")
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise ValueError(f"it has more than {_MOST_SCANS} scans")
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ValueError(f"byte {at} of its header is no marker")
        marker = data[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES and at + 10 <= len(data):
            bits, rows, columns, samples = struct.unpack_from(">BHHB", data, at + 4)
            near = _near(data) if marker == _LS else 0
            return FrameHeader(bits, rows, columns, samples, marker == _LOSSLESS or (marker == _LS and near == 0))
        if marker in _OTHER_FRAMES or marker == _SCAN:
            raise ValueError(f"its process (marker FF{marker:02X}) is not decoded")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ValueError("it has no frame header")


def _near(data: bytes) -> int:
    """Largest difference that near-lossless coding makes (NEAR, ISO/IEC 14495-1, C.2.3), of the first scan."""
    at = data.find(b"\xff\xda")
    place = at + 5 + 2 * data[at + 4] if at >= 0 and at + 4 < len(data) else len(data)
    return data[place] if place < len(data) else 0


def _of_jpeg_2000(data: bytes) -> FrameHeader:
    at = data.find(_J2K)
    if at < 0 or at + 45 > len(data):
        raise ValueError("it has no frame header")
    width, height, left, top = struct.unpack_from(">4I", data, at + 8)
    samples, depth, across, down = struct.unpack_from(">HBBB", data, at + 40)
    if left >= width or top >= height or not across or not down:
        raise ValueError("its size is impossible")
    rows, columns = (
        math.ceil(height / down) - math.ceil(top / down),
        math.ceil(width / across) - math.ceil(left / across),
    )
    return FrameHeader((depth & 0x7F) + 1, rows, columns, samples, exact=True)
