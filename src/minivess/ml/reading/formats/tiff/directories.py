"""The chain of pages of a TIFF (TIFF 6.0, section 2), and which bytes of the file belong to it.

Directories are walked without reading any value, within limits. Bytes after the last one that a page, its values or its
voxels use are counted: a MetaMorph stack, for example, has one page and further planes behind it.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction
from minivess.ml.reading.formats.tiff.planes import Plane
from minivess.ml.reading.volume import Limits

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value, by TIFF field type."""
_WORDS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_TAGS = 512
_INNER = frozenset({330, 34665, 34853, 40965})
"""Tags that hold places of further directories: SubIFDs, Exif, GPS and interoperability."""
_PLACES, _COUNTS = (273, 324), (279, 325)
"""Tags of places and numbers of bytes of strips and tiles."""
_DEEP = 3
_SLACK = 256
"""Bytes that programs leave behind the last page when they write a directory again (tifffile: two resolutions)."""


@dataclass(frozen=True)
class Source:
    """A TIFF, its size, and how it packs numbers: an entry of a directory, the number of entries, and a place."""

    stream: IO[bytes]
    size: int
    path: Path
    limits: Limits
    entry: str
    number: str
    word: str

    def exactly(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            InputError: the file ends before.
        """
        data = self.stream.read(count)
        if len(data) != count:
            raise InputError(
                "truncated within its list of pages", path=self.path, hint="copy the file again", rule="file-truncated"
            )
        return data


@dataclass(frozen=True)
class Chain:
    """Pages of a chain, the end of the last byte that its directories and their values use, and what lies within them.

    Attributes:
        pages: number of directories.
        places: first and last byte (exclusive) of each directory.
        end: end of the last byte in use.
        inner: tag, type, number of values and their place of tags with further directories and of strips.
    """

    pages: int
    places: tuple[tuple[int, int], ...]
    end: int
    inner: tuple[tuple[int, int, int, int], ...]


def walk(source: Source, offset: int) -> Chain:
    """Follow a chain of directories from `offset`.

    Raises:
        InputError: a circle, too many pages or tags, a directory that is cut, or a value beyond the end of the file.
    """
    stream, size, path = source.stream, source.size, source.path
    length, width = struct.calcsize(source.entry) + struct.calcsize(source.word), struct.calcsize(source.word)
    seen: set[int] = set()
    inner: list[tuple[int, int, int, int]] = []
    places: list[tuple[int, int]] = []
    values = end = 0
    while offset:
        if offset in seen:
            raise InputError("the chain of pages runs in a circle", path=path)
        seen.add(offset)
        if len(seen) > source.limits.pages:
            raise InputError(f"more than the {source.limits.pages} pages allowed", path=path)
        stream.seek(offset)
        tags = struct.unpack(source.number, source.exactly(struct.calcsize(source.number)))[0]
        if not 1 <= tags <= _MOST_TAGS:
            raise InputError(f"page {len(seen)} has {tags} tags", path=path)
        start = stream.tell()
        block = source.exactly(tags * length)
        places.append((offset, start + len(block) + width))
        end = max(end, places[-1][1])
        for at in range(0, len(block), length):
            tag, kind, count = struct.unpack_from(source.entry, block, at)
            needed = _SIZES.get(kind, 1) * count
            values += needed
            here = at + struct.calcsize(source.entry)
            place = struct.unpack_from(source.word, block, here)[0] if needed > width else start + here
            if needed > width and place + needed > size:
                raise contradiction(
                    "pages-missing",
                    f"the value of its tag {tag} is beyond the end of the file",
                    path,
                    "copy the file again; it is truncated",
                )
            end = max(end, place + needed)
            if tag in _INNER or tag in _PLACES or tag in _COUNTS:
                inner.append((tag, kind, count, place))
        if values > size + source.limits.text_bytes:
            raise InputError("its tags announce more bytes than the file holds", path=path)
        offset = struct.unpack(source.word, source.exactly(width))[0]
    return Chain(len(seen), tuple(places), end, tuple(inner))


@implements("REQ-286")
def unused(source: Source, chain: Chain, planes: Iterable[Plane]) -> int:
    """Number of bytes after the last one that the pages, their values, voxels and inner directories use.

    Returns:
        0 where they are at most `_SLACK` and too few for a plane.
    """
    planes, size = list(planes), source.size
    slack = min(_SLACK, planes[0].shape[0] * planes[0].shape[1] * planes[0].dtype.itemsize - 1)
    end = chain.end
    for plane in planes:
        end = max(end, *(offset + count for offset, count in zip(plane.offsets, plane.counts, strict=False)))
    if size - end > slack:
        end = max(end, _inner_end(source, chain, deep=_DEEP))
    return size - end if size - end > slack else 0


@implements("REQ-286")
def check_apart(chain: Chain, planes: Iterable[Plane], path: Path) -> None:
    """Strips and tiles must overlap neither each other nor a directory; several pages may share one strip whole.

    Raises:
        InputError: two of them do.
    """
    blocks = {
        (offset, offset + count) for plane in planes for offset, count in zip(plane.offsets, plane.counts, strict=False)
    }
    used = sorted(block for block in blocks | set(chain.places) if block[1] > block[0])
    for (first, end), (start, _) in itertools.pairwise(used):
        if start < end:
            raise contradiction(
                "pages-missing",
                f"bytes {start} to {end - 1} belong to two of its strips or directories (another begins at {first})",
                path,
                "save it as TIFF again",
            )


def _inner_end(source: Source, chain: Chain, *, deep: int) -> int:
    """End of the last byte that directories within directories use, with their strips and tiles."""
    end = 0
    for offset in _values(source, chain, _INNER):
        if not 0 < offset < source.size or not deep:
            continue
        found = walk(source, offset)
        places, counts = _values(source, found, _PLACES), _values(source, found, _COUNTS)
        end = max(end, found.end, *(first + length for first, length in zip(places, counts, strict=False)))
        end = max(end, _inner_end(source, found, deep=deep - 1))
    return end


def _values(source: Source, chain: Chain, tags: Collection[int]) -> list[int]:
    """The values of all tags of a kind, in order."""
    found: list[int] = []
    for tag, kind, count, place in chain.inner:
        if tag in tags and kind in _WORDS:
            source.stream.seek(place)
            form = f"{source.word[0]}{count}{_WORDS[kind]}"
            found.extend(struct.unpack(form, source.exactly(_SIZES[kind] * count)))
    return found
