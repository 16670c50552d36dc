"""TIFF stacks (TIFF 6.0, BigTIFF), one page a z plane, in the order and with the spacing that OME-XML or ImageJ state.

A single page is a picture (y, x). tifffile reads the tags; the chain of pages is walked beforehand (`_walk`) and planes
are decoded in `tiff_planes.py`, both within limits; stored pages that follow each other are mapped. The baseline tags
XResolution and YResolution are printing hints (72 dpi in most stacks) and are not taken as spacing, except beside
ImageJ's own `unit` and `spacing`.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import InputError
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.deidentification import Traces, tiff_traces
from minivess.ml.reading.formats.ome import MICROMETRES, one_line, parse_ome
from minivess.ml.reading.formats.tiff_order import check_shaped, ome_order
from minivess.ml.reading.formats.tiff_planes import Plane, decode_plane, follow_each_other
from minivess.ml.reading.volume import (
    Facts,
    Limits,
    Spacing,
    Volume,
    check_dtype,
    check_ratio,
    check_shape,
    check_spacing,
    file_size,
    first_line,
    mapped,
)
from minivess.records.data.dataset import Axes

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value, by TIFF field type."""
_MOST_TAGS = 512
_NO_UNITS = frozenset({"", "pixel", "pixels"})
"""Units of ImageJ that are none: the picture was not calibrated, or the program that wrote it left the unit out."""
_ORIENTATION = 274
_RGB, _INDEXED = 2, 3
_JUDGED = frozenset({271, 272, 306, 315, 316, 33432, 33723, 34853})


def read_tiff(path: Path, limits: Limits) -> Volume:
    """Read a picture or a stack whose pages have one shape and type, grey, indexed or red-green-blue.

    Raises:
        InputError: malformed, truncated, several channels or times, unsupported compression, or beyond the limits.
    """
    import tifffile

    size = file_size(path, limits)
    try:
        with path.open("rb") as stream:
            count = _walk(stream, size, path, limits)
            with _quiet(), tifffile.TiffFile(stream) as tiff:
                pages = [tiff.pages.get(index) for index in range(count)]
                planes = [_plane(page, number, path) for number, page in enumerate(pages, start=1)]
                first = planes[0]
                for number, plane in enumerate(planes, start=1):
                    if plane.layout != first.layout:
                        raise InputError(f"page {number} differs from page 1 in shape or type", path=path)
                grid = first.shape if count == 1 else (count, *first.shape)
                check_shape(grid, path, limits, colours=first.samples)
                check_dtype(first.dtype, path)
                check_ratio(math.prod(grid) * first.samples * first.bits // 8, size, path, limits)
                stated = _tag_facts(pages[0], planes, path)
                planes = [planes[index] for index in stated.order]
                palette = _palette(pages[0], first, path)
                array = _voxels(stream, planes, grid, size, path)
    except InputError:
        raise
    except Exception as error:
        # tifffile and struct answer damaged tags with a dozen kinds of exception; for the person they are one
        raise InputError(f"malformed TIFF: {first_line(error)}", path=path, hint="save the stack again") from None
    notes = stated.traces.risks
    if first.white:
        notes = (*notes, "it counts from white to black, and was turned round")
    if first.samples == 4:
        array, notes = array[..., :3], (*notes, "the alpha channel was dropped")
    flat: Axes = "yx" if first.samples == 1 else "yxc"
    deep: Axes = "zyx" if first.samples == 1 else "zyxc"
    return Volume(
        array,
        flat if count == 1 else deep,
        array.dtype.name,
        stated.format,
        spacing=stated.spacing,
        unitless=stated.unitless,
        facts=stated.facts,
        palette=palette,
        identifiers=stated.traces.identifiers,
        notes=notes,
    )


def _voxels(
    stream: IO[bytes], planes: list[Plane], grid: tuple[int, ...], size: int, path: Path
) -> npt.NDArray[np.generic]:
    first = planes[0]
    shape = grid if first.samples == 1 else (*grid, first.samples)
    if follow_each_other(planes, size):
        return mapped(path, first.dtype, first.offsets[0], shape)
    array = np.empty(shape, dtype=first.dtype.newbyteorder("="))
    for index, plane in enumerate(planes):
        array[index if len(planes) > 1 else ...] = decode_plane(stream, plane, path)
    return array


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep tifffile from logging what is raised as an error anyway."""
    logger = logging.getLogger("tifffile")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _walk(stream: IO[bytes], size: int, path: Path, limits: Limits) -> int:
    """Follow the chain of pages without reading any value; returns their number."""
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise InputError("not a TIFF file", path=path)
    magic = struct.unpack(order + "H", head[2:4])[0]
    if magic == 42:
        entry, number, word = order + "HHI", order + "H", order + "I"
        offset = struct.unpack(word, head[4:8])[0]
    elif magic == 43 and len(head) == 16 and struct.unpack(order + "HH", head[4:8]) == (8, 0):
        entry, number, word = order + "HHQ", order + "Q", order + "Q"
        offset = struct.unpack(word, head[8:16])[0]
    else:
        raise InputError("not a TIFF file", path=path)
    length = struct.calcsize(entry) + struct.calcsize(word)
    seen: set[int] = set()
    values = 0
    while offset:
        if offset in seen:
            raise InputError("the chain of pages runs in a circle", path=path)
        seen.add(offset)
        if len(seen) > limits.pages:
            raise InputError(f"more than the {limits.pages} pages allowed", path=path)
        stream.seek(offset)
        tags = struct.unpack(number, _exactly(stream, struct.calcsize(number), path))[0]
        if not 1 <= tags <= _MOST_TAGS:
            raise InputError(f"page {len(seen)} has {tags} tags", path=path)
        block = _exactly(stream, tags * length, path)
        for at in range(0, len(block), length):
            tag, kind, count = struct.unpack_from(entry, block, at)
            needed = _SIZES.get(kind, 1) * count
            values += needed
            place = struct.unpack_from(word, block, at + struct.calcsize(entry))[0]
            if needed > struct.calcsize(word) and place + needed > size:
                raise contradiction(
                    "pages-missing",
                    f"the value of its tag {tag} is beyond the end of the file",
                    path,
                    "copy the file again; it is truncated",
                )
        if values > size + limits.text_bytes:
            raise InputError("its tags announce more bytes than the file holds", path=path)
        offset = struct.unpack(word, _exactly(stream, struct.calcsize(word), path))[0]
    stream.seek(0)
    if not seen:
        raise InputError("a TIFF file without pages", path=path)
    return len(seen)


def _exactly(stream: IO[bytes], count: int, path: Path) -> bytes:
    data = stream.read(count)
    if len(data) != count:
        raise InputError("truncated within its list of pages", path=path, hint="copy the file again")
    return data


def _plane(page: Any, number: int, path: Path) -> Plane:
    if page is None or page.dtype is None:
        raise InputError(f"page {number} holds no grey values of a known type", path=path, hint="save as 8 or 16 bit")
    if int(page.tags.valueof(_ORIENTATION, 1)) not in (0, 1):
        raise InputError(
            f"page {number} asks viewers to turn or mirror it, so the orientation of a mask is ambiguous",
            path=path,
            hint="turn the pixels and remove the Orientation tag (TIFF 6.0, tag 274)",
        )
    samples, light = int(page.samplesperpixel), int(page.photometric)
    coloured = light == _RGB and samples in (3, 4)
    if page.imagedepth != 1 or not (coloured or (samples == 1 and light != _RGB)):
        raise InputError(
            f"page {number} has {samples} values a pixel",
            path=path,
            hint="keep one channel, as grey, or red, green and blue",
        )
    bits = int(page.bitspersample)
    if page.dtype.itemsize * 8 != bits and (bits, samples) != (1, 1):
        raise InputError(
            f"page {number} has {page.bitspersample} bits a pixel", path=path, hint="save as 8, 16 or 32 bit"
        )
    if light == 0 and page.dtype.kind not in "ub":
        raise InputError(f"page {number} counts from white to black", path=path, hint="save it with 0 as black")
    tile = (int(page.tilelength), int(page.tilewidth)) if page.is_tiled else None
    return Plane(
        number=number,
        shape=(int(page.imagelength), int(page.imagewidth)),
        samples=samples,
        dtype=np.dtype(np.uint8) if bits == 1 else page.dtype.newbyteorder(page.parent.byteorder),
        bits=bits,
        planar=samples > 1 and int(page.planarconfig) == 2,
        white=light == 0,
        compression=int(page.compression),
        predictor=int(page.predictor),
        fill_order=int(page.fillorder),
        rows=int(page.rowsperstrip or page.imagelength),
        tile=tile,
        offsets=tuple(int(value) for value in page.dataoffsets),
        counts=tuple(int(value) for value in page.databytecounts),
    )


def _palette(page: Any, plane: Plane, path: Path) -> npt.NDArray[np.uint8] | None:
    """Colours of an indexed page (TIFF 6.0, section 5: all reds, then all greens, then all blues, 16 bit each)."""
    if int(page.photometric) != _INDEXED:
        return None
    colours = page.colormap
    if colours is None or colours.shape != (3, 2**plane.bits):
        raise InputError("an indexed page without its colours", path=path, hint="save it as grey or colour")
    return np.ascontiguousarray(colours.T >> 8, dtype=np.uint8)


@dataclass(frozen=True)
class _TagFacts:
    """What the tags of the first page state; `order` are the pages (from 0) along z."""

    format: str
    spacing: Spacing | None
    facts: Facts
    traces: Traces
    order: tuple[int, ...]
    unitless: Spacing | None = None


def _tag_facts(page: Any, planes: list[Plane], path: Path) -> _TagFacts:
    text, count = page.description or "", len(planes)
    plain = tuple(range(count))
    tags = {tag.code: tag.value for tag in page.tags if tag.code in _JUDGED}
    maker = one_line(" ".join(str(tags[code]) for code in (271, 272) if isinstance(tags.get(code), str)))
    if "<OME" in text[:2000]:
        data = text.encode("utf-8", "replace")
        ome = parse_ome(data, path)
        order = tuple(ome_order(ome, planes, path))
        spacing = ome.spacing("ZYX" if count > 1 else "YX", path)
        return _TagFacts("OME-TIFF", spacing, ome.facts, ome.traces + tiff_traces(tags, ""), order)
    if text.startswith("ImageJ="):
        spacing, unitless = _imagej(text, page, count, path)
        return _TagFacts("ImageJ TIFF", spacing, Facts(scanner=maker), tiff_traces(tags, ""), plain, unitless)
    shaped = text.startswith('{"shape"')
    if shaped:
        check_shaped(text, planes, path)
    return _TagFacts("TIFF", None, Facts(scanner=maker), tiff_traces(tags, "" if shaped else text), plain)


def _imagej(text: str, page: Any, count: int, path: Path) -> tuple[Spacing | None, Spacing | None]:
    """Spacing in micrometres or in an unnamed unit: along y and x where the distance of planes is not stated."""
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    for key in ("channels", "frames"):
        if facts.get(key, "1") != "1":
            raise contradiction(
                "axes-order",
                f"an ImageJ stack with {facts[key][:12]} {key}",
                path,
                "keep one channel and one time, saved as slices",
            )
    if facts.get("images", str(count)) != str(count):
        raise contradiction(
            "pages-missing",
            f"{count} pages where ImageJ announces {facts['images'][:12]}",
            path,
            "save it as TIFF again",
        )
    name = facts.get("unit", "").replace("\\u00B5", "µ").strip()
    unit = None if name in _NO_UNITS else MICROMETRES.get(name, 25_400.0 if name == "inch" else 0.0)
    if unit == 0:
        raise InputError(f"unknown unit {name[:20]!r} of ImageJ", path=path, hint="use µm, nm or mm")
    horizontal, vertical = page.tags.get("XResolution"), page.tags.get("YResolution")
    if horizontal is None or vertical is None:
        return None, None
    steps = [_pixel(tag.value) for tag in (vertical, horizontal)]
    if count > 1 and "spacing" in facts:
        steps.insert(0, abs(float(facts["spacing"])))
    if not all(math.isfinite(value) and value > 0 for value in steps):
        return None, None
    if unit is None:
        return None, tuple(steps)
    return check_spacing(tuple(step * unit for step in steps), path), None


def _pixel(resolution: tuple[int, int]) -> float:
    return resolution[1] / resolution[0] if resolution[0] else math.inf
