"""The pictures of a document, as bytes: from the pack, from a `data:` address, or drawn."""

from __future__ import annotations

import binascii
import posixpath
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from minivess.compliance.documents.model.blocks import Block, Drawing, Figure, Listing
from minivess.foundation.errors import InputError

_FOLDER = "documents"
_DATA = {"data:image/png;base64,": "png", "data:image/svg+xml;base64,": "svg", "data:image/jpeg;base64,": "jpg"}
_SUFFIXES = ("png", "svg", "jpg")


@dataclass(frozen=True)
class Picture:
    """A picture: its bytes, and `png`, `svg` or `jpg`."""

    content: bytes
    kind: str


def pictures_of(blocks: Iterable[Block], files: Mapping[str, bytes]) -> dict[Block, Picture]:
    """The picture of each figure and drawing.

    Args:
        blocks: of a document.
        files: of the pack, by name relative to `data/`.

    Raises:
        InputError: a figure names a picture that is not in the pack, or of another kind.
    """
    return dict(_pictures(blocks, files))


def _pictures(blocks: Iterable[Block], files: Mapping[str, bytes]) -> Iterator[tuple[Block, Picture]]:
    for block in blocks:
        if isinstance(block, Drawing):
            yield block, Picture(block.svg.encode("utf-8"), "svg")
        elif isinstance(block, Figure):
            yield block, _named(block.source, files)
        elif isinstance(block, Listing):
            for point in block.points:
                yield from _pictures(point, files)


def _named(source: str, files: Mapping[str, bytes]) -> Picture:
    for start, kind in _DATA.items():
        if source.startswith(start):
            try:
                return Picture(b64decode(source.removeprefix(start), validate=True), kind)
            except binascii.Error:
                raise InputError("a picture inside a document is not base64") from None
    name = posixpath.normpath(posixpath.join(_FOLDER, source))
    kind = name.rpartition(".")[2]
    if name not in files or kind not in _SUFFIXES:
        raise InputError(f"a document shows {source}, which is no picture of the pack")
    return Picture(files[name], kind)
