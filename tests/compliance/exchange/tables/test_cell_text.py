"""Cells of a workbook as a person sees them: rich text, formats of numbers, dates, links, hidden and merged cells."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import pytest

from minivess.compliance.exchange.foreign_items import Foreign
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.workbook import read_workbook
from tests.compliance.exchange.test_awkward_texts import workbook_of
from tests.support.lazy_modules import lazily

with lazily("openpyxl"):
    import openpyxl  # type: ignore[import-untyped]

pytestmark = pytest.mark.verifies("SU-19")

RUNS = "<r><t>below 10</t></r><r><rPr><vertAlign val='superscript'/></rPr><t>-6</t></r>"
STRUCK = "<r><t>shall</t></r><r><rPr><strike/></rPr><t xml:space='preserve'> not</t></r><r><t> stop</t></r>"
PLAIN = "<r><rPr><b/><strike val='0'/></rPr><t>bold</t></r>"


def _read(data: bytes) -> Foreign:
    return read_workbook(data, "a.xlsx", ForeignMapping())


def _said(foreign: Foreign, severity: str) -> list[str]:
    return [one.message for one in foreign.remarks if one.severity == severity]


def _saved(workbook: openpyxl.Workbook) -> bytes:
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize("shared", [True, False])
def test_superscripts_and_struck_out_words_of_a_cell_are_written_out(shared: bool) -> None:
    texts = ["<t>ID</t>", "<t>Text</t>", "<t>R1</t>", RUNS, "<t>R2</t>", STRUCK, "<t>R3</t>", PLAIN]
    inside = (
        (f'<c r="{"AB"[at % 2]}{at // 2 + 1}" t="s"><v>{at}</v></c>' for at in range(len(texts)))
        if shared
        else (f'<c r="{"AB"[at % 2]}{at // 2 + 1}" t="inlineStr"><is>{text}</is></c>' for at, text in enumerate(texts))
    )
    cells = list(inside)
    rows = "".join(f'<row r="{at // 2 + 1}">{cells[at]}{cells[at + 1]}</row>' for at in range(0, len(cells), 2))
    foreign = _read(workbook_of(rows, "".join(f"<si>{text}</si>" for text in texts) if shared else ""))
    assert [item.text for item in foreign.items] == ["below 10⁻⁶", "shall [struck out: not] stop", "bold"]
    assert _said(foreign, "changed") == [
        "cell B2 has superscripts, taken so: below 10⁻⁶",
        "cell B3 has struck-out words, taken so: shall [struck out: not] stop",
    ]


def test_a_cell_that_is_struck_out_as_a_whole_says_so() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in (["ID", "Text"], ["R1", "The pump shall stop."], [2, 3]):
        sheet.append(row)
    sheet["B2"].font = openpyxl.styles.Font(strike=True)
    sheet["B3"].font = openpyxl.styles.Font(strike=True)
    foreign = _read(_saved(workbook))
    assert [item.text for item in foreign.items] == ["[struck out: The pump shall stop.]", "[struck out: 3]"]
    assert len(_said(foreign, "changed")) == 2


@pytest.mark.parametrize(
    ("value", "form", "text", "said"),
    [
        (12, "0000", "0012", ""),
        (1.1, "0.00", "1.10", ""),
        (0.05, "0%", "5%", ""),
        (-3, "00", "-03", ""),
        (12, "General", "12", ""),
        (0.1 + 0.2, "General", "0.3", ""),
        (1.005, "0.0", "1.005", "have the number format `0.0`, and are taken without it"),
        (1234.5, "#,##0.00 €", "1234.5", "have the number format `#,##0.00 €`, and are taken without it"),
        (dt.date(2025, 2, 1), "d-mmm", "2025-02-01", "hold dates or times, written as ISO 8601 writes them"),
        (dt.time(12, 30), "h:mm", "12:30:00", "hold dates or times, written as ISO 8601 writes them"),
        (dt.timedelta(hours=26), "[h]:mm", "1 day, 2:00:00", "hold durations"),
        (True, "General", "true", "hold truth values, written in English"),
    ],
)
def test_a_number_keeps_what_its_format_shows_or_is_named(value: object, form: str, text: str, said: str) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(["ID", "Text"])
    sheet.append(["R1", value])
    sheet["B2"].number_format = form
    foreign = _read(_saved(workbook))
    assert foreign.items[0].text == text
    changed = _said(foreign, "changed")
    assert (changed == []) if not said else (said in changed[0] and f"B2: {text}" in changed[0])


def test_links_drawings_hidden_and_merged_cells_are_named() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in (["ID", "Category", "Text"], ["R1", "data", "see spec"], ["R2", None, "b"]):
        sheet.append(row)
    sheet.merge_cells("B2:B3")
    sheet["C2"].hyperlink = "https://example.org/a?b=1&c=2"
    sheet.row_dimensions[3].hidden = True
    stream = io.BytesIO(_saved(workbook))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("xl/drawings/drawing1.xml", "<d><t>only in</t><t>a box</t></d>")
    foreign = _read(stream.getvalue())
    lost = [(one.field, one.value) for one in foreign.remarks if one.severity == "lost"]
    assert lost == [("", "only in a box"), ("cell C2", "https://example.org/a?b=1&c=2")]
    assert _said(foreign, "changed") == [
        "1 merged cell(s) go over several rows; their value is taken in each of these rows"
    ]
    assert any("rows are hidden" in one for one in _said(foreign, "note"))
