"""DOCX and PDF of any document: every text is shown as text, pictures are inside, and the reference is the one that is made."""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import docx
import pytest
from pypdf import PdfReader

from minivess.compliance.documents.formats.characters import displayable
from minivess.compliance.documents.formats.docx import docx_of
from minivess.compliance.documents.formats.pdf import Imprint, pdf_of
from minivess.compliance.documents.formats.typst_source import string
from minivess.compliance.documents.model.blocks import (
    Block,
    Break,
    Cell,
    Code,
    DocumentModel,
    Drawing,
    Fact,
    Facts,
    Figure,
    Heading,
    Link,
    Listing,
    Mark,
    Paragraph,
    Preformatted,
    Span,
    Swatch,
    Table,
    Text,
    TitleBlock,
    numbered,
)
from minivess.foundation.errors import CouldNotCheckError, InputError
from tests.support.builders.reference_docx import PLACE, made
from tests.support.properties import given, settings
from tests.support.properties import strategies as st

pytestmark = [pytest.mark.verifies("SU-183"), pytest.mark.verifies("REQ-505"), pytest.mark.verifies("REQ-506")]

IMPRINT = Imprint("device 1.0.0", "minivess 0.2.0", datetime(2026, 11, 20, 8, tzinfo=UTC))
WORD = (Text("word"),)
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="40"><rect width="80" height="30" fill="#0b5a7a"/></svg>'
)


def png() -> bytes:
    rows = b"".join(b"\x00" + b"\x40\x80\xc0" * 4 for _ in range(4))
    parts = ((b"IHDR", struct.pack(">2I5B", 4, 4, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def document(*blocks: Block) -> DocumentModel:
    history = Table((Cell(WORD, header=True),), ((Cell((Text("revised"),)),),))
    title = TitleBlock((("Document", (Code("D-1"),)), ("Revision", WORD)))
    return DocumentModel("one", "D-1", "A <document> & more", "What it is.", title, numbered(blocks), history)


def words_of(content: bytes) -> str:
    if content.startswith(b"%PDF"):
        return "".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    return "".join(docx.Document(BytesIO(content)).element.body.itertext())


def both(model: DocumentModel, files: dict[str, bytes] | None = None) -> tuple[bytes, bytes]:
    return pdf_of(model, IMPRINT, files or {}), docx_of(model, IMPRINT, files or {}, PLACE)


def test_every_kind_of_block_is_in_both_formats() -> None:
    wide = tuple(Cell((Text(f"w{number}"),), label="x", style="figure") for number in range(9))
    model = document(
        Heading(1, (Text("First"),)),
        Heading(2, (Text("REQ-001 item"),), "REQ-001"),
        Paragraph((Text("see "), Link("#REQ-001", (Text("inside"),)), Link("#gone", (Text("gone"),)), Break(), Text("after"))),
        Paragraph((Link("https://example.org/a", (Text("outside"),)), Span("strong", WORD), Span("em", WORD)), "small soft"),
        Listing(((Paragraph((Text("point"),)),), (Paragraph(WORD), Listing(((Paragraph((Text("deep"),)),),)))), ordered=True),
        Table(
            (Cell((Text("head"),), header=True), Cell(WORD)),
            ((Cell((Text("ragged"),)),), (Cell((Text("both"),), columns=2),)),
            (Text("caption"),),
        ),
        Table((), (wide,), style="chains"),
        Table((), ()),
        Facts((((Text("label"),), (Mark("passed", "passed"), Fact("a.b", "seven"))),)),
        Preformatted("line one\n  line two"),
        Paragraph((Swatch("#d02020"), Span("unknown", (Text("plain"),)))),
        Figure("../evaluation/a.png", "a picture", (Text("its caption"),)),
        Drawing(DRAWING, "a drawing", (Text("drawn"),)),
    )  # fmt: skip
    for content in both(model, {"evaluation/a.png": png()}):
        shown = "".join(words_of(content).split())
        for word in (
            "1First", "REQ-001item", "inside", "gone", "after", "outside", "point", "deep", "head", "ragged", "both", "caption",
            "w8", "label", "✓passed", "seven", "linetwo", "plain", "(#d02020)", "itscaption", "drawn", "revised", "D-1",
        ):  # fmt: skip
            assert word in shown, word
    pdf, word_file = both(model, {"evaluation/a.png": png()})
    assert len(docx.Document(BytesIO(word_file)).inline_shapes) == 2
    assert sum(len(page.images) for page in PdfReader(BytesIO(pdf)).pages) == 1
    targets = [
        one.get_object()["/A"]["/URI"]
        for page in PdfReader(BytesIO(pdf)).pages
        for one in page.get("/Annots", [])
        if "/URI" in one.get_object().get("/A", {})
    ]
    assert targets == ["https://example.org/a"]


HOSTILE = [
    '#import "x": *', "#panic()", "$x$", "= no heading", "- no point", "@nothing", "<label>", "\\u{41}", '"quoted"', "// gone",
    "/* gone */", "*no*", "_no_", "`no`", "[no](x)", "```", "<script>", "&amp;", "{{HEAD}}", "\\", "\\\\\"", "#" * 7,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_read_as_markup(text: str) -> None:
    whole = (Text(f"before {text} after"), Code(text), Link(f"../a.html#{len(text)}", (Text(text),)))
    for content in both(document(Paragraph(whole), Preformatted(text))):
        flat = "".join(words_of(content).split())
        assert "".join(f"before {text} after".split()) in flat


@settings(max_examples=25)
@given(st.text(max_size=30))
def test_any_text_can_be_set(text: str) -> None:
    shown = displayable(text)
    assert displayable(shown) == shown
    for content in both(document(Paragraph((Text(f"({text})"), Code(text))), Preformatted(text))):
        assert words_of(content)


def test_what_cannot_be_shown_is_a_code_point() -> None:
    assert displayable("a\u4e2d\u200d\x00]-^é✓") == "a[U+4E2D][U+200D][U+0000]]-^é✓"
    assert string('a"\\\n') == '"a\\"\\\\\\n"'


def test_the_running_head_is_escaped_in_the_reference() -> None:
    [head] = docx.Document(BytesIO(docx_of(document(), IMPRINT, {}, PLACE))).sections[0].header.paragraphs
    assert head.text == "device 1.0.0 · D-1 · A <document> & more"


def test_the_reference_is_the_one_that_is_made() -> None:
    assert PLACE.read_bytes() == made()


@pytest.mark.parametrize("source", ["../evaluation/b.png", "../../a.png", "notes.txt", "data:image/png;base64,%%"])
def test_a_picture_that_is_not_in_the_pack_is_refused(source: str) -> None:
    model = document(Figure(source, "a picture"))
    for make in (lambda: pdf_of(model, IMPRINT, {"notes.txt": b"x"}), lambda: docx_of(model, IMPRINT, {}, PLACE)):
        with pytest.raises(InputError):
            make()


def test_a_picture_that_cannot_be_read_stops_the_document_by_name() -> None:
    model = document(Figure("../evaluation/a.png", "a picture"))
    with pytest.raises(CouldNotCheckError, match=r"one\.pdf cannot be written"):
        pdf_of(model, IMPRINT, {"evaluation/a.png": b"no picture"})


def test_a_reference_that_is_no_docx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reference.docx").write_bytes(b"words")
    with pytest.raises(InputError, match="is no DOCX"):
        docx_of(document(), IMPRINT, {}, tmp_path / "reference.docx")
