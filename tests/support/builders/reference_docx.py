"""Makes `templates/documents/reference.docx`: the styles, page, running head and foot of documents in DOCX.

`python -m tests.support.builders.reference_docx` writes it. It begins with the reference of pandoc, so that it has every style
that pandoc uses.
"""

from __future__ import annotations

import subprocess
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import pypandoc
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from minivess.compliance.documents.formats.docx import HEAD

PLACE = Path(__file__).resolve().parents[3] / "templates" / "documents" / "reference.docx"
INK, SOFT = RGBColor(0x1B, 0x25, 0x30), RGBColor(0x55, 0x60, 0x6D)
SIZES = {"Title": 24, "Heading 1": 16, "Heading 2": 13, "Heading 3": 11, "Normal": 10, "Compact": 9}


def made() -> bytes:
    """The bytes of the file. Equal versions of pandoc and python-docx give equal bytes."""
    command = [pypandoc.get_pandoc_path(), "--print-default-data-file", "reference.docx"]
    known = subprocess.run(command, capture_output=True, check=True).stdout
    document = docx.Document(BytesIO(known))
    for name, size in SIZES.items():
        style = document.styles[name]
        style.font.name, style.font.size, style.font.color.rgb = "Calibri", Pt(size), INK
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "Calibri")
    for part in (document.sections[0],):
        part.page_width, part.page_height = Mm(210), Mm(297)
        part.left_margin = part.right_margin = Mm(20)
        part.top_margin = part.bottom_margin = Mm(22)
        head = part.header.paragraphs[0]
        head.text = HEAD
        head.runs[0].font.size, head.runs[0].font.color.rgb = Pt(8), SOFT
        foot = part.footer.paragraphs[0]
        foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
        for words, field in (("page ", "PAGE"), (" of ", "NUMPAGES")):
            _run(foot, words)
            _field(foot, field)
    _lines(document.styles["Table"].element)
    while len(document.element.body) > 1:  # its sample text
        document.element.body.remove(document.element.body[0])
    out = BytesIO()
    document.save(out)
    return _without_times(out.getvalue())


def _run(paragraph: Any, words: str) -> Any:
    run = paragraph.add_run(words)
    run.font.size, run.font.color.rgb = Pt(8), SOFT
    return run


def _field(paragraph: Any, name: str) -> None:
    run = _run(paragraph, "")
    for kind, text in (("begin", ""), ("", name), ("separate", ""), ("value", "1"), ("end", "")):
        if kind in {"begin", "separate", "end"}:
            part = OxmlElement("w:fldChar")
            part.set(qn("w:fldCharType"), kind)
        else:
            part = OxmlElement("w:t" if kind == "value" else "w:instrText")
            part.text = text
        run._r.append(part)


def _lines(style: Any) -> None:
    """A thin line below every row of a table."""
    properties = style.find(qn("w:tblPr"))
    borders = OxmlElement("w:tblBorders")
    for side in ("top", "bottom", "insideH"):
        line = OxmlElement(f"w:{side}")
        for key, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", "BBBBBB")):
            line.set(qn(f"w:{key}"), value)
        borders.append(line)
    properties.insert(0, borders)


def _without_times(content: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as known, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as whole:
        for name in sorted(known.namelist()):
            whole.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), known.read(name))
    return out.getvalue()


if __name__ == "__main__":
    PLACE.write_bytes(made())
