"""Text in = text out: each awkward text comes through each reader and each export as it is, or a remark names its change."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
import yaml

from minivess.compliance.exchange.exporting import SUFFIXES, export_items
from minivess.compliance.exchange.foreign_items import tidy
from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import load_items
from minivess.records.items.items import Requirement, RequirementCategory, Source
from tests.compliance.exchange.formats.test_reqif import HEAD, TAIL

pytestmark = [pytest.mark.verifies("SU-19"), pytest.mark.verifies("REQ-260")]

CORPUS = Path(__file__).parents[2] / "fixtures" / "exchange" / "awkward-texts.json"
TEXTS: tuple[str, ...] = tuple(
    text for group in json.loads(CORPUS.read_text(encoding="utf-8")).values() for text in group
)


def _id(at: int) -> str:
    return f"T-{at:03}"


def _rows(texts: Sequence[str]) -> list[list[str]]:
    return [["ID", "Title", "Text"], *([_id(at), f"title {at}", text] for at, text in enumerate(texts))]


def _csv(texts: Sequence[str], separator: str = ",") -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=separator).writerows(_rows(texts))
    return stream.getvalue().encode("utf-8-sig")


def workbook_of(cells: str, shared: str = "") -> bytes:
    """A workbook as Excel writes one: one sheet, and the texts that its cells share."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    related = f'<Relationships xmlns="{package}/relationships">'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'{related}<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f'{related}<Relationship Id="r1" Type="{office}/worksheet" '
        f'Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="{office}/sharedStrings" '
        'Target="sharedStrings.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{cells}</sheetData></worksheet>",
        "xl/sharedStrings.xml": f"<sst {main}>{shared}</sst>",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _xlsx(texts: Sequence[str]) -> bytes:
    def stored(text: str) -> str:
        guarded = re.sub("_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
        guarded = re.sub("[\x00-\x08\x0b-\x1f\ufffe\uffff]", lambda one: f"_x{ord(one.group()):04X}_", guarded)
        return f'<si><t xml:space="preserve">{escape(guarded)}</t></si>'

    rows = _rows(texts)
    flat = [text for row in rows for text in row]
    cells = "".join(
        f'<row r="{at + 1}">'
        + "".join(f'<c r="{letter}{at + 1}" t="s"><v>{3 * at + of}</v></c>' for of, letter in enumerate("ABC"))
        + "</row>"
        for at in range(len(rows))
    )
    return workbook_of(cells, "".join(map(stored, flat)))


def _reqif(texts: Sequence[str], value: Callable[[str], str]) -> bytes:
    objects = "".join(
        f'<SPEC-OBJECT IDENTIFIER="_{at}" LAST-CHANGE="2025-01-01T00:00:00Z"><VALUES>'
        f'<ATTRIBUTE-VALUE-STRING THE-VALUE="{_id(at)}"><DEFINITION><ATTRIBUTE-DEFINITION-STRING-REF>a-id'
        f"</ATTRIBUTE-DEFINITION-STRING-REF></DEFINITION></ATTRIBUTE-VALUE-STRING>\n{value(text)}"
        "</VALUES><TYPE><SPEC-OBJECT-TYPE-REF>t</SPEC-OBJECT-TYPE-REF></TYPE></SPEC-OBJECT>\n"
        for at, text in enumerate(texts)
    )
    return f"{HEAD}<SPEC-OBJECTS>\n{objects}</SPEC-OBJECTS>\n{TAIL}".encode()


def _xhtml(text: str) -> str:
    inner = "<xhtml:br/>".join(escape(line, {"\r": "&#13;"}) for line in text.replace("\r", "\n").split("\n"))
    return (
        "<ATTRIBUTE-VALUE-XHTML><DEFINITION><ATTRIBUTE-DEFINITION-XHTML-REF>a-text</ATTRIBUTE-DEFINITION-XHTML-REF>"
        f'</DEFINITION><THE-VALUE><xhtml:div style="white-space: pre-wrap">{inner}</xhtml:div></THE-VALUE>'
        "</ATTRIBUTE-VALUE-XHTML>"
    )


def _string(text: str) -> str:
    return (
        f"<ATTRIBUTE-VALUE-STRING THE-VALUE={quoteattr(text, {chr(10): '&#10;', chr(13): '&#13;', chr(9): '&#9;'})}>"
        "<DEFINITION><ATTRIBUTE-DEFINITION-STRING-REF>a-text</ATTRIBUTE-DEFINITION-STRING-REF></DEFINITION>"
        "</ATTRIBUTE-VALUE-STRING>"
    )


def _needs(texts: Sequence[str]) -> bytes:
    needs = {
        _id(at): {"id": _id(at), "type": "req", "title": f"title {at}", "content": text}
        for at, text in enumerate(texts)
    }
    return json.dumps({"current_version": "1", "versions": {"1": {"needs": needs}}}).encode()


def _strictdoc(texts: Sequence[str]) -> bytes:
    nodes = (
        f"[REQUIREMENT]\nUID: {_id(at)}\nTITLE: title {at}\nSTATEMENT: >>>\n{text}\n<<<\n"
        for at, text in enumerate(texts)
    )
    return ("[DOCUMENT]\nTITLE: t\n\n" + "\n".join(nodes)).encode()


def _jamb(texts: Sequence[str]) -> bytes:
    items = [{"uid": _id(at), "header": f"title {at}", "text": text} for at, text in enumerate(texts)]
    return yaml.safe_dump({"documents": [], "items": items}, allow_unicode=True, width=10_000).encode()


def _markdown(texts: Sequence[str]) -> bytes:
    def cell(text: str) -> str:
        for char, written in (
            ("&", "&amp;"),
            ("\\", "\\\\"),
            ("|", "\\|"),
            ("`", "\\`"),
            ("<", "&lt;"),
            ("\r\n", "<br>"),
        ):
            text = text.replace(char, written)
        text = re.sub("[\r\n]", "<br>", text).replace("\t", "&#9;")
        return re.sub(r"^\s|\s$", lambda one: f"&#{ord(one.group())};", text)

    head, *rows = _rows(texts)
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- |", *(f"| {' | '.join(map(cell, row))} |" for row in rows)]
    return "\n".join(lines).encode()


def _rst(texts: Sequence[str]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(_rows(texts)[1:])
    body = "".join(f"   {line}\n" for line in re.split("\r\n|\r|\n", stream.getvalue()))
    return f".. csv-table:: T\n   :header: ID,Title,Text\n\n{body}".encode()


READERS: dict[str, Callable[[Sequence[str]], bytes]] = {
    "a.csv": _csv,
    "a.tsv": lambda texts: _csv(texts, "\t"),
    "a.xlsx": _xlsx,
    "rich.reqif": lambda texts: _reqif(texts, _xhtml),
    "plain.reqif": lambda texts: _reqif(texts, _string),
    "needs.json": _needs,
    "a.sdoc": _strictdoc,
    "a.yml": _jamb,
    "a.md": _markdown,
    "a.rst": _rst,
}


CANNOT = {
    "rich.reqif": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"),
    "plain.reqif": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"),
    "a.yml": re.compile("\x85"),
}
"""Characters that a format has no way to write, or that is refused in it."""


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unnamed(imported: Imported, texts: Sequence[str]) -> tuple[list[tuple[str, object]], int]:
    """Texts that came out otherwise without a remark, and how many came without the spaces at their ends."""
    by_origin = {item.origin: item for item in imported.items}
    told = [one for one in imported.remarks if one.severity in {"lost", "changed"}]
    items = {one.item for one in told}
    places = {one.place.line for one in told if one.place.line and not one.item}
    unnamed: list[tuple[str, object]] = []
    trimmed = 0
    for at, text in enumerate(texts):
        item = by_origin.get(_id(at))
        said = item.fields.get("statement") if item else None
        inside = _lines(text).strip("\n")
        if said == inside:
            continue
        if said == inside.strip():
            trimmed += 1
        elif item is None or not (item.origin in items or item.place.line in places):
            unnamed.append((text[:60], said))
    return unnamed, trimmed


@pytest.mark.parametrize("name", READERS)
def test_each_text_comes_in_as_it_is_or_with_a_remark(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    texts = [text for text in TEXTS if name not in CANNOT or not CANNOT[name].search(text)]
    assert len(texts) > 260
    path.write_bytes(READERS[name](texts))
    imported = import_file(path, mapping=None, taken=(), known_origins={}, kind="REQ")
    unnamed, trimmed = _unnamed(imported, texts)
    assert unnamed == []
    said = (re.match(r"spaces at the ends of ([0-9]+) value", one.message) for one in imported.remarks)
    assert sum(int(one[1]) for one in said if one) >= trimmed > 3


def test_there_are_enough_texts_and_no_two_are_equal() -> None:
    assert len(set(TEXTS)) == len(TEXTS) >= 200


def test_what_is_written_into_a_tree_loads_as_the_same_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(_csv(TEXTS))
    mapping = tmp_path / "map.yaml"
    mapping.write_text(
        "defaults: {rationale: r, category: data, safety_class: B, verification: test}\n", encoding="utf-8"
    )
    imported = import_file(path, mapping=mapping, taken=(), known_origins={}, kind="REQ")
    (tmp_path / "requirements").mkdir()
    for name, text in imported.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = load_items(tmp_path).requirements
    assert {item.id: item.fields["statement"] for item in imported.items} == {
        name: one.statement for name, one in loaded.items()
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_text_goes_out_and_comes_back(tmp_path: Path, suffix: str) -> None:
    texts = [text for text in TEXTS if tidy(text) == text]
    assert len(texts) > 200
    written = [
        Requirement(
            id=f"REQ-{at:03}",
            title=text[:200].strip(),
            statement=text,
            rationale=text,
            category=RequirementCategory.DATA,
            safety_class="B",
            verification="test",
            origin=text[:200].strip(),
            source=Source(path="x", line=1),
        )
        for at, text in enumerate(texts)
    ]
    path = tmp_path / f"items{suffix}"
    remarks = export_items(written, path, clock=lambda: datetime(2026, 11, 29, tzinfo=UTC))
    assert remarks == ()
    imported = import_file(path, mapping=None, taken=(), known_origins={})
    names = ("title", "statement", "rationale", "origin")
    assert {item.id: [item.fields.get(name) for name in names] for item in imported.items} == {
        one.id: [one.title, one.statement, one.rationale, one.origin] for one in written
    }


def test_an_export_names_the_texts_whose_ends_it_leaves_out(tmp_path: Path) -> None:
    item = Requirement(
        id="REQ-001",
        title=" title",
        statement="text\n",
        rationale="because ",
        category=RequirementCategory.DATA,
        safety_class="B",
        verification="test",
        source=Source(path="x", line=1),
    )
    remarks = export_items([item], tmp_path / "a.csv")
    assert [(one.item, one.field) for one in remarks] == [("REQ-001", "title"), ("REQ-001", "rationale")]
