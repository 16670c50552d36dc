"""A document as PDF/A-2a and PDF/UA-1, written by typst.

Typst checks what both standards require of what it writes, and stops where a document does not meet it. Only the fonts that typst
brings along are used, and the time is given, so that the same document gives the same bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from minivess.compliance.documents.formats.pictures import pictures_of
from minivess.compliance.documents.formats.typst_source import TypstWriter
from minivess.compliance.documents.model.blocks import DocumentModel
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.implements import implements

STANDARDS: Final[tuple[Literal["a-2a"], Literal["ua-1"]]] = ("a-2a", "ua-1")
"""As typst names them."""


@dataclass(frozen=True)
class Imprint:
    """What every format states beside the document itself."""

    device: str
    """Name and version."""
    author: str
    time: datetime


@implements("REQ-506")
def pdf_of(document: DocumentModel, imprint: Imprint, files: Mapping[str, bytes]) -> bytes:
    """A document as PDF.

    Args:
        document: the model.
        imprint: what running head and metadata state.
        files: of the pack, by name relative to `data/`: its pictures.

    Raises:
        CouldNotCheckError: typst refuses the document; the message is its own.
        InputError: a picture is missing.
    """
    import typst  # of the extra `documents`

    pictures = pictures_of(document.body, files)
    names = {block: f"picture-{number}.{picture.kind}" for number, (block, picture) in enumerate(pictures.items())}
    source = TypstWriter(document, names).source(device=imprint.device, author=imprint.author)
    with TemporaryDirectory(prefix="minivess-pdf-") as folder:
        root = Path(folder)
        for block, picture in pictures.items():
            (root / names[block]).write_bytes(picture.content)
        (root / "document.typ").write_text(source, encoding="utf-8")
        try:
            made = typst.compile(
                root / "document.typ",
                root=root,
                format="pdf",
                ignore_system_fonts=True,
                pdf_standards=list(STANDARDS),
                timestamp=int(imprint.time.timestamp()),
            )
        except BaseException as error:  # typst's own panic is no Exception
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            raise CouldNotCheckError(
                f"{document.name}.pdf cannot be written: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
                hint="the page of the document has the same content; report the message",
            ) from error
    if not isinstance(made, bytes):
        raise CouldNotCheckError(f"{document.name}.pdf cannot be written: typst gave no PDF")
    return made
