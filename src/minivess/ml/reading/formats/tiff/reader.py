"""TIFF stacks (TIFF 6.0, BigTIFF), one page a z plane, in the order and with the spacing that OME-XML or ImageJ state.

A single page is a picture (y, x). tifffile reads the tags; the chain of pages is walked beforehand (`_open`) and planes
are decoded in `planes.py`, both within limits; stored pages that follow each other are mapped. The baseline tags
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
from minivess.ml.reading.contradictions import contradiction, lossy, trailing
from minivess.ml.reading.deidentification import Traces, tiff_traces
from minivess.ml.reading.formats.ome import MICROMETRES, one_line, parse_ome
from minivess.ml.reading.formats.tiff.directories import Chain, Source, check_apart, unused, walk
from minivess.ml.reading.formats.tiff.order import Order, by_channel, check_shaped, ome_order
from minivess.ml.reading.formats.tiff.planes import JPEG, ZSTD, Plane, decode_plane, follow_each_other
from minivess.ml.reading.volume import (
    Facts,
    Limits,
    Spacing,
    Volume,
    channel_names,
    check_dtype,
    check_ratio,
    check_shape,
    check_spacing,
    fault_in_words,
    file_size,
    mapped,
)
from minivess.records.data.dataset import Axes

_RGB, _INDEXED, _LUMINANCE = 2, 3, 6
_JPEG_TABLES = 347
_NO_UNITS = frozenset({"", "pixel", "pixels"})
"""Units of ImageJ that are none: the picture was not calibrated, or the program that wrote it left the unit out."""
_ORIENTATION = 274
_JUDGED = frozenset({271, 272, 306, 315, 316, 33432, 33723, 34853})


def read_tiff(path: Path, limits: Limits) -> Volume:
    """Read a picture or a stack whose pages have one shape and type, grey, indexed or red-green-blue.

    Raises:
        InputError: malformed, truncated, several times, unsupported compression, or beyond the limits.
    """
    import tifffile

    size = file_size(path, limits)
    try:
        with path.open("rb") as stream:
            source, chain = _open(stream, size, path, limits)
            count = chain.pages
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
                announced = math.prod(grid) * first.samples * first.bits // 8
                check_ratio(announced, size, path, limits, coded=first.compression in ZSTD)
                check_apart(chain, planes, path)
                stated = _tag_facts(pages[0], planes, path)
                planes = [planes[index] for index in stated.order.pages]
                channels, depth = len(stated.order.channels), stated.order.depth
                grid = first.shape if depth == 1 else (depth, *first.shape)
                palette = _palette(pages[0], first, path)
                whole = (channels, *grid) if channels else grid
                array = _voxels(stream, planes, whole, size, path)
                rest = unused(source, chain, planes)
    except InputError:
        raise
    except Exception as error:
        # tifffile and struct answer damaged tags with a dozen kinds of exception; for the person they are one
        raise InputError(f"malformed TIFF: {fault_in_words(error)}", path=path, hint="save the stack again") from None
    notes = stated.traces.risks
    if first.white:
        notes = (*notes, "it counts from white to black, and was turned round")
    if first.samples == 4:
        array, notes = array[..., :3], (*notes, "the alpha channel was dropped")
    if channels:
        array = np.moveaxis(array, 0, -1)
    single = first.samples == 1 and not channels
    flat: Axes = "yx" if single else "yxc"
    deep: Axes = "zyx" if single else "zyxc"
    return Volume(
        array,
        flat if depth == 1 else deep,
        array.dtype.name,
        stated.format,
        spacing=stated.spacing,
        unitless=stated.unitless,
        facts=stated.facts,
        palette=palette,
        lossy=first.compression == JPEG,
        identifiers=stated.traces.identifiers,
        notes=notes,
        channels=stated.order.channels,
        doubts=(*((lossy("JPEG in TIFF"),) if first.compression == JPEG else ()), *trailing(rest, "its last page")),
    )


def _voxels(
    stream: IO[bytes], planes: list[Plane], grid: tuple[int, ...], size: int, path: Path
) -> npt.NDArray[np.generic]:
    first = planes[0]
    shape = grid if first.samples == 1 else (*grid, first.samples)
    if follow_each_other(planes, size):
        return mapped(path, first.dtype, first.offsets[0], shape)
    array = np.empty(shape, dtype=first.dtype.newbyteorder("="))
    one_by_one = array.reshape(len(planes), *shape[-2 if first.samples == 1 else -3 :])
    for index, plane in enumerate(planes):
        one_by_one[index] = decode_plane(stream, plane, path)
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


def _open(stream: IO[bytes], size: int, path: Path, limits: Limits) -> tuple[Source, Chain]:
    """The chain of pages, followed without reading any value."""
    head = stream.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise InputError("not a TIFF file", path=path)
    magic = struct.unpack(order + "H", head[2:4])[0]
    if magic == 42:
        source = Source(stream, size, path, limits, order + "HHI", order + "H", order + "I")
        offset = struct.unpack(source.word, head[4:8])[0]
    elif magic == 43 and len(head) == 16 and struct.unpack(order + "HH", head[4:8]) == (8, 0):
        source = Source(stream, size, path, limits, order + "HHQ", order + "Q", order + "Q")
        offset = struct.unpack(source.word, head[8:16])[0]
    else:
        raise InputError("not a TIFF file", path=path)
    chain = walk(source, offset)
    stream.seek(0)
    if not chain.pages:
        raise InputError("a TIFF file without pages", path=path)
    return source, chain


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
    luminance = light == _LUMINANCE and (samples, int(page.planarconfig), int(page.compression)) == (3, 1, JPEG)
    coloured = luminance or (light == _RGB and samples in (3, 4))
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
        tables=bytes(page.tags.valueof(_JPEG_TABLES) or b""),
        luminance=luminance,
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
    """What the tags of the first page state; and the order of all pages."""

    format: str
    spacing: Spacing | None
    facts: Facts
    traces: Traces
    order: Order
    unitless: Spacing | None = None


def _tag_facts(page: Any, planes: list[Plane], path: Path) -> _TagFacts:
    text, count = page.description or "", len(planes)
    plain = Order(tuple(range(count)))
    tags = {tag.code: tag.value for tag in page.tags if tag.code in _JUDGED}
    maker = one_line(" ".join(str(tags[code]) for code in (271, 272) if isinstance(tags.get(code), str)))
    if "<OME" in text[:2000]:
        data = text.encode("utf-8", "replace")
        ome = parse_ome(data, path)
        order = ome_order(ome, planes, path)
        spacing = ome.spacing("ZYX" if order.depth > 1 else "YX", path)
        return _TagFacts("OME-TIFF", spacing, ome.facts, ome.traces + tiff_traces(tags, ""), order)
    if text.startswith("ImageJ="):
        spacing, unitless, order = _imagej(text, page, count, path)
        return _TagFacts("ImageJ TIFF", spacing, Facts(scanner=maker), tiff_traces(tags, ""), order, unitless)
    shaped = text.startswith('{"shape"')
    if shaped:
        check_shaped(text, planes, path)
    return _TagFacts("TIFF", None, Facts(scanner=maker), tiff_traces(tags, "" if shaped else text), plain)


def _imagej(text: str, page: Any, count: int, path: Path) -> tuple[Spacing | None, Spacing | None, Order]:
    """Spacing in micrometres or in an unnamed unit, and the order of the planes; channels of one z follow each other.

    The spacing is along y and x where the distance of planes is not stated.
    """
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if facts.get("frames", "1") != "1":
        raise contradiction(
            "axes-order", f"an ImageJ stack with {facts['frames'][:12]} frames", path, "save one time, as slices"
        )
    stated = facts.get("channels", "1")
    channels = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 5 else 0
    if not channels or count % channels:
        raise contradiction("axes-order", f"{count} pages of {stated[:12]} channels", path, "save it as TIFF again")
    if facts.get("images", str(count)) != str(count):
        raise contradiction(
            "pages-missing",
            f"{count} pages where ImageJ announces {facts['images'][:12]}",
            path,
            "save it as TIFF again",
        )
    order = Order(by_channel(count, channels, channels_first=True), channel_names((), channels) if channels > 1 else ())
    name = facts.get("unit", "").replace("\\u00B5", "µ").strip()
    unit = None if name in _NO_UNITS else MICROMETRES.get(name, 25_400.0 if name == "inch" else 0.0)
    if unit == 0:
        raise InputError(f"unknown unit {name[:20]!r} of ImageJ", path=path, hint="use µm, nm or mm")
    horizontal, vertical = page.tags.get("XResolution"), page.tags.get("YResolution")
    if horizontal is None or vertical is None:
        return None, None, order
    steps = [_pixel(tag.value) for tag in (vertical, horizontal)]
    if order.depth > 1 and "spacing" in facts:
        steps.insert(0, abs(float(facts["spacing"])))
    if not all(math.isfinite(value) and value > 0 for value in steps):
        return None, None, order
    if unit is None:
        return None, tuple(steps), order
    return check_spacing(tuple(step * unit for step in steps), path), None, order


def _pixel(resolution: tuple[int, int]) -> float:
    return resolution[1] / resolution[0] if resolution[0] else math.inf
