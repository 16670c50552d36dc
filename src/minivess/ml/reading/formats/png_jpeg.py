"""PNG and JPEG pictures, read by Pillow after their own headers were held against the limits.

Indices of a palette stay indices (`Volume.palette` has the colours), since a mask's values may be the indices. The
resolution in the metadata is a printing hint and counts for nothing, so the spacing of a picture is unknown.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.ml.reading.contradictions import contradiction, lossy, trailing
from minivess.ml.reading.deidentification import picture_traces
from minivess.ml.reading.formats.ome import one_line
from minivess.ml.reading.volume import Facts, Limits, Volume, check_ratio, check_shape, fault_in_words, file_size

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Values of a pixel by PNG's colour type (ISO/IEC 15948, 11.2.2)."""
_GREY, _PALETTE = 0, 3
_MOST_SCANS = 100
"""Scans of a JPEG: a progressive one has about ten, and each costs the whole picture's time."""
_EXIF, _GPS, _ORIENTATION = 0x8769, 0x8825, 0x0112


def read_picture(path: Path, limits: Limits) -> Volume:
    """Read one picture: grey of 1 to 16 bits, indexed, or 8-bit colour with or without alpha.

    Raises:
        InputError: malformed, truncated, animated, turned by EXIF, of another colour model, or beyond the limits.
    """
    from PIL import Image

    file_size(path, limits)
    data = read_limited(path, limit=limits.file_bytes)
    depth = _png(data, path, limits) if data.startswith(b"\x89PNG\r\n\x1a\n") else _jpeg(data, path)
    kind = "PNG" if depth else "JPEG"
    rest = _rest_of_png(data, path) if depth else _rest_of_jpeg(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=[kind]) as image:
                _check(image, len(data), path, limits)
                image.load()
                found = _volume(image, kind, depth, path)
    except InputError:
        raise
    except Exception as error:
        # Pillow's plug-ins answer damaged chunks with OSError, SyntaxError, ValueError, struct.error and more
        raise InputError(
            f"malformed {kind}: {fault_in_words(error)}", path=path, hint="save the picture again"
        ) from None

    doubts = trailing(rest, f"the end of the {kind}")
    return dataclasses.replace(found, doubts=doubts if depth else (lossy("JPEG"), *doubts))


def _rest_of_png(data: bytes, path: Path) -> int:
    """Number of bytes after the last chunk; every chunk's CRC is checked (ISO/IEC 15948, 5.3)."""
    at = 8
    while at + 12 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + size
        if data[end : end + 4] != zlib.crc32(data[at + 4 : end]).to_bytes(4, "big"):
            raise contradiction(
                "checksum",
                f"the checksum of its chunk {name.decode('latin-1')!r} at byte {at} does not fit",
                path,
                "copy the file again; it is damaged",
            )
        at = end + 4
        if name == b"IEND":
            return len(data) - at
    raise contradiction("checksum", "the PNG has no end", path, "copy the file again; it is truncated")


def _rest_of_jpeg(data: bytes) -> int:
    """Number of bytes after the last end of image (ISO/IEC 10918-1, B.1.1.3: marker FFD9)."""
    end = data.rfind(b"\xff\xd9")
    return len(data) - end - 2 if end >= 0 else 0


def _png(data: bytes, path: Path, limits: Limits) -> int:
    """Bits of a value, after the header was checked (ISO/IEC 15948, 11.2.2)."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise InputError("malformed PNG: it does not start with its header", path=path, hint="save the picture again")
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    samples = _SAMPLES.get(colour, 0)
    if not samples or depth not in (1, 2, 4, 8, 16):
        raise InputError(f"malformed PNG: {depth} bits of colour type {colour}", path=path)
    check_shape((height, width), path, limits, colours=samples)
    check_ratio(width * height * samples * depth // 8, len(data), path, limits)
    if depth == 16 and colour != _GREY:
        raise InputError(
            "colours of 16 bits would be cut to 8",
            path=path,
            hint="save as 8-bit PNG, or as TIFF with 16 bits",
            rule="format-unsupported",
        )
    return int(depth)


def _jpeg(data: bytes, path: Path) -> int:
    if not data.startswith(b"\xff\xd8\xff"):
        raise InputError("neither PNG nor JPEG", path=path, hint="save the picture again")
    if data.count(b"\xff\xda") > _MOST_SCANS:
        raise InputError(
            f"a JPEG of more than {_MOST_SCANS} scans", path=path, hint="save the picture again", rule="limits"
        )
    return 0


def _check(image: Any, packed: int, path: Path, limits: Limits) -> None:
    bands = len(image.getbands())
    check_shape((image.height, image.width), path, limits, colours=bands)
    check_ratio(image.height * image.width * bands // (8 if image.mode == "1" else 1), packed, path, limits)
    if getattr(image, "n_frames", 1) != 1:
        raise InputError("an animated picture", path=path, hint="save one frame", rule="format-unsupported")


def _volume(image: Any, kind: str, depth: int, path: Path) -> Volume:
    exif = image.getexif()
    facts = {**exif, **exif.get_ifd(_EXIF)} | ({_GPS: "GPS"} if exif.get_ifd(_GPS) else {})
    if exif.get(_ORIENTATION, 1) not in (0, 1):
        raise InputError(
            "its EXIF asks viewers to rotate it, so the orientation of a mask is ambiguous",
            path=path,
            hint="turn the pixels and remove the EXIF orientation",
            rule="format-unsupported",
        )
    traces = picture_traces(kind, image.info, facts)
    array, palette, notes = _pixels(image, depth, path)
    maker = " ".join(str(exif[tag]) for tag in (0x010F, 0x0110) if isinstance(exif.get(tag), str))
    return Volume(
        array,
        "yx" if array.ndim == 2 else "yxc",
        array.dtype.name,
        kind,
        facts=Facts(scanner=one_line(maker)),
        palette=palette,
        lossy=kind == "JPEG",
        identifiers=traces.identifiers,
        notes=(*traces.risks, *notes),
    )


def _pixels(
    image: Any, depth: int, path: Path
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8] | None, tuple[str, ...]]:
    """Values, the palette they index, and what was changed."""
    array = np.asarray(image)
    notes = ("transparency was ignored",) if "transparency" in image.info else ()
    if image.mode in ("L", "1"):
        if image.mode == "1":
            array = array.astype(np.uint8)
        elif 1 < depth < 8:  # Pillow stretches 2 and 4 bits to 8, which would change a mask's classes
            array = array // np.uint8(255 // (2**depth - 1))
        return array, None, notes
    if image.mode == "P":
        colours = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        return array, colours, notes
    if image.mode in ("I;16", "I;16B", "I"):
        return array.astype(np.uint16), None, notes
    if image.mode == "RGB":
        return array, None, notes
    if image.mode in ("RGBA", "LA"):
        opaque = bool((array[..., -1] == 255).all())
        dropped = "the alpha channel was dropped" + ("" if opaque else ", and the picture is not opaque everywhere")
        return (array[..., :3] if image.mode == "RGBA" else array[..., 0]), None, (dropped,)
    raise InputError(
        f"the colour model {image.mode} is not read",
        path=path,
        hint="save it as grey or RGB",
        rule="format-unsupported",
    )
