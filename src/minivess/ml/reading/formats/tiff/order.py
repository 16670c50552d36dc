"""Whether a TIFF file's description fits its pages, and which page is which plane along z.

Descriptions are read of OME-TIFF (OME data model, `TiffData`), ImageJ and tifffile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.formats.ome import Ome
from minivess.ml.reading.formats.tiff.planes import Plane

_TYPES = {"uint8": "u1", "uint16": "u2", "uint32": "u4", "int8": "i1", "int16": "i2", "int32": "i4"} | {
    "float": "f4",
    "double": "f8",
    "bit": "u1",
}
_HINT = "keep one channel and one time"
_LONGEST = 1 << 16


@implements("REQ-281")
def ome_order(ome: Ome, planes: Sequence[Plane], path: Path) -> list[int]:
    """Pages (from 0) in the order of their planes along z.

    Raises:
        InputError: other sizes, type or number of planes than the pages have, several channels or times, or `TiffData`
            that name no page, or one plane twice.
    """
    first, count = planes[0], len(planes)
    total = 0
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
        if sizes["T"] > 1 or sizes["C"] > first.samples:
            raise contradiction("axes-order", f"{sizes['C']} channels and {sizes['T']} times", path, _HINT)
        total += sizes["Z"]
    if total != count:
        raise contradiction(
            "pages-missing", f"{count} pages but {total} planes in z", path, "copy or export the file again"
        )
    return _ordered(ome, count, path) if len(ome.pixels) == 1 and ome.blocks else list(range(count))


def _defaults(first: Plane, count: int) -> tuple[tuple[str, int], ...]:
    return (("X", first.shape[1]), ("Y", first.shape[0]), ("Z", count), ("C", first.samples), ("T", 1))


def _ordered(ome: Ome, count: int, path: Path) -> list[int]:
    pages: dict[int, int] = {}
    for block in ome.blocks:
        page, z = _whole(block, "IFD", 0, path), _whole(block, "FirstZ", 0, path)
        number = _whole(block, "PlaneCount", 1 if "IFD" in block else count - z, path)
        elsewhere = _whole(block, "FirstC", 0, path) or _whole(block, "FirstT", 0, path)
        if elsewhere or number < 0 or z + number > count or page + number > count:
            raise contradiction(
                "axes-order", "a TiffData of its OME-XML names no page or no plane", path, "export it again"
            )
        for step in range(number):
            if pages.setdefault(z + step, page + step) != page + step:
                raise contradiction("axes-order", f"its OME-XML names two pages for plane {z + step}", path)
    if len(pages) != count or len(set(pages.values())) != count:
        raise contradiction(
            "pages-missing", f"its OME-XML gives {len(pages)} of {count} planes a page", path, "export the file again"
        )
    return [pages[z] for z in range(count)]


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
