"""Whether a TIFF file's description fits its pages, and which page is which plane along z.

Descriptions are read of OME-TIFF (OME data model, `TiffData`), ImageJ and tifffile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.formats.ome import Ome
from minivess.ml.reading.formats.tiff.planes import Plane
from minivess.ml.reading.volume import channel_names

_TYPES = {"uint8": "u1", "uint16": "u2", "uint32": "u4", "int8": "i1", "int16": "i2", "int32": "i4"} | {
    "float": "f4",
    "double": "f8",
    "bit": "u1",
}
_HINT = "save one time in a file of its own"
_CHANNELS_FIRST = frozenset({"XYCZT", "XYCTZ", "XYTCZ"})
"""Orders of dimensions (`DimensionOrder`) in which planes of one z follow each other, channel by channel."""
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Order:
    """Pages (from 0), one channel after the other and each along z, and the names of the channels if there are several."""

    pages: tuple[int, ...]
    channels: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """Number of planes along z."""
        return len(self.pages) // max(len(self.channels), 1)


def by_channel(count: int, channels: int, *, channels_first: bool) -> tuple[int, ...]:
    """Places of planes in a file, one channel after the other, each along z.

    Args:
        count: number of planes.
        channels: number of channels.
        channels_first: whether the channels of one z follow each other in the file.
    """
    depth = count // channels
    return tuple(
        z * channels + channel if channels_first else channel * depth + z
        for channel in range(channels)
        for z in range(depth)
    )


@implements("REQ-281", "REQ-288")
def ome_order(ome: Ome, planes: Sequence[Plane], path: Path) -> Order:
    """The order of the pages that OME-XML states.

    Raises:
        InputError: other sizes, type or number of planes than the pages have, several times, or `TiffData` that name no
            page, or one plane twice.
    """
    first, count = planes[0], len(planes)
    total, channels = 0, 1
    for pixels in ome.pixels:
        sizes = {name: _whole(pixels, f"Size{name}", default, path) for name, default in _defaults(first, count)}
        if (sizes["Y"], sizes["X"]) != first.shape:
            raise contradiction(
                "pages-missing",
                f"its OME-XML states {sizes['X']} x {sizes['Y']} pixels, and its pages have {first.shape[1]} x "
                f"{first.shape[0]}",
                path,
                "export the file again",
            )
        kind = _TYPES.get(pixels.get("Type", ""))
        if kind is not None and kind != f"{first.dtype.kind}{first.dtype.itemsize}":
            raise contradiction(
                "voxel-type", f"its OME-XML states {pixels['Type']}, its pages {first.dtype.name}", path
            )
        channels = sizes["C"] if first.samples == 1 else 1
        several = channels > 1 and len(ome.pixels) > 1
        if sizes["T"] > 1 or several or sizes["C"] > max(first.samples, channels):
            raise contradiction("axes-order", f"{sizes['C']} channels and {sizes['T']} times", path, _HINT)
        total += sizes["Z"] * channels
    if total != count:
        raise contradiction("pages-missing", f"{count} pages but {total} planes", path, "copy or export the file again")
    channels_first = ome.pixels[0].get("DimensionOrder", "XYZCT") in _CHANNELS_FIRST
    places = by_channel(count, channels, channels_first=channels_first)
    if len(ome.pixels) == 1 and ome.blocks:
        pages = _ordered(ome, (count, channels), path, channels_first=channels_first)
        places = tuple(pages[place] for place in places)
    return Order(places, channel_names(ome.channels, channels) if channels > 1 else ())


def _defaults(first: Plane, count: int) -> tuple[tuple[str, int], ...]:
    return (("X", first.shape[1]), ("Y", first.shape[0]), ("Z", count), ("C", first.samples), ("T", 1))


def _ordered(ome: Ome, size: tuple[int, int], path: Path, *, channels_first: bool) -> list[int]:
    """The page of each plane, in the order of the file's planes; `size` are the numbers of planes and of channels."""
    pages: dict[int, int] = {}
    count, channels = size
    depth = count // channels
    for block in ome.blocks:
        page, z, channel = (_whole(block, name, 0, path) for name in ("IFD", "FirstZ", "FirstC"))
        start = z * channels + channel if channels_first else channel * depth + z
        number = _whole(block, "PlaneCount", 1 if "IFD" in block else count - start, path)
        elsewhere = channel >= channels or z >= depth or _whole(block, "FirstT", 0, path)
        if elsewhere or number < 0 or start + number > count or page + number > count:
            raise contradiction(
                "axes-order", "a TiffData of its OME-XML names no page or no plane", path, "export it again"
            )
        for step in range(number):
            if pages.setdefault(start + step, page + step) != page + step:
                raise contradiction("axes-order", f"its OME-XML names two pages for plane {start + step}", path)
    if len(pages) != count or len(set(pages.values())) != count:
        raise contradiction(
            "pages-missing", f"its OME-XML gives {len(pages)} of {count} planes a page", path, "export the file again"
        )
    return [pages[place] for place in range(count)]


def _whole(attributes: dict[str, str], name: str, default: int, path: Path) -> int:
    text = attributes.get(name, str(default)).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InputError(f"{name} is no whole number: {text[:20]!r}", path=path, hint="export the file again")
    return int(text)


def check_shaped(text: str, planes: Sequence[Plane], path: Path) -> None:
    """The description that tifffile writes (JSON with `shape`, and `axes` where the writer stated them).

    Raises:
        InputError: axes that are no space, or more or fewer values than the pages hold.
    """
    try:
        stated = json.loads(text[:_LONGEST])
        shape = [int(size) for size in stated["shape"]]
        axes = str(stated.get("axes", ""))
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    first = planes[0]
    sizes = (first.samples, *first.shape) if first.planar else (*first.shape, first.samples)
    held = [size for size in (len(planes), *sizes) if size != 1]
    if [size for size in shape if size != 1] != held:
        raise contradiction(
            "pages-missing",
            f"its description states the shape {tuple(shape)[:6]}, and it holds {len(planes)} pages of {first.shape}",
            path,
            "copy or save the file again",
        )
    if len(axes) == len(shape):
        seen = "".join(axis for axis, size in zip(axes.upper(), shape, strict=True) if size > 1)
        if seen.strip("SC" if first.samples > 1 else "").lstrip("ZQI").lstrip("SC" if first.planar else "") not in (
            "YX",
            "Y",
            "X",
            "",
        ):
            raise contradiction("axes-order", f"its axes are {axes[:12]!r}", path, f"{_HINT}, with axes ZYX")
