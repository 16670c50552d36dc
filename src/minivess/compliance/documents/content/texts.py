"""The text of the manufacturer in a document, and the chapters that are missing from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from minivess.compliance.documents.content.markdown import markdown_blocks
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.documents.model.blocks import Block, Blocks, Heading, Listing, Mark, Paragraph, Text
from minivess.compliance.standards.filing import FilingDocument, missing_chapters, text_of
from minivess.foundation.implements import implements


@implements("REQ-503", "RC-208")
def text_blocks(dossier: Dossier, document: FilingDocument, *, alone: bool) -> Blocks:
    """What the manufacturer wrote for a document, then what is missing.

    Args:
        dossier: the release.
        document: which one.
        alone: whether the text is the document; else it is a part with a heading of its own.
    """
    if not document.path:
        return ()
    return (*_text(dossier, document, alone=alone), *_missing(dossier, document))


def _text(dossier: Dossier, document: FilingDocument, *, alone: bool) -> Iterator[Block]:
    text = text_of(dossier.inputs.source, document)
    if text is None:
        return
    below: Literal[0, 1] = 0 if alone else 1
    if not alone:
        yield Heading(1, (Text(f"Text of the manufacturer: {document.path}"),))
    yield from markdown_blocks(text, below=below)


def _missing(dossier: Dossier, document: FilingDocument) -> Iterator[Block]:
    missing = [one for one in missing_chapters(dossier.inputs.source) if one.document == document]
    if not missing:
        return
    yield Heading(1, (Text("Missing chapters"),))
    yield Listing(tuple((Paragraph((Mark("failed", "missing"), Text(f" {one.words}."))),) for one in missing))
