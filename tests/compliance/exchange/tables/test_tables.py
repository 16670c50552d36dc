"""Tables as strangers keep them: odd encodings and separators, titles above the header, formulas, dates, huge cells."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.exchange.foreign_items import Foreign
from minivess.compliance.exchange.importing import import_file
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.reader import read_foreign
from minivess.compliance.exchange.tables.delimited import read_delimited
from minivess.compliance.exchange.tables.workbook import read_workbook
from minivess.foundation.errors import InputError, UsageError
from tests.support.lazy_modules import lazily

with lazily("openpyxl"):
    import openpyxl  # type: ignore[import-untyped]

pytestmark = pytest.mark.verifies("SU-19")

GERMAN = """\
Anforderungsliste Infusionspumpe;;;;
Stand: 12.03.2025;;;;
;;;;
Anf-Nr.;Titel;Beschreibung;Abgeleitet von;Begründung
SW 1;Überdruck;"Die Software soll bei Überdruck
innerhalb von 2,5 s warnen; auch nachts.";NB-1;Größe zählt
NB-1;Bedarf;Der Nutzer will's wissen;;
"""


def _csv(text: str | bytes, mapping: ForeignMapping | None = None) -> Foreign:
    data = text.encode() if isinstance(text, str) else text
    return read_delimited(data, "a.csv", mapping or ForeignMapping())


def _saved(workbook: openpyxl.Workbook) -> bytes:
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def _sheet(*rows: list[Any]) -> bytes:
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.worksheets[0].append(row)
    return _saved(workbook)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", "UTF-16-LE"),
        ("utf-16-be", "UTF-16-BE"),
        ("utf-32", ""),
        ("cp1252", "Windows-1252"),
    ],
)
def test_a_german_list_is_read_in_any_encoding(encoding: str, said: str) -> None:
    foreign = _csv(GERMAN.encode(encoding))
    assert [(item.id, item.title) for item in foreign.items] == [("SW 1", "Überdruck"), ("NB-1", "Bedarf")]
    first = foreign.items[0]
    assert first.text == "Die Software soll bei Überdruck\ninnerhalb von 2,5 s warnen; auch nachts."
    assert first.attributes == {"rationale": "Größe zählt"}
    assert [(link.relation, link.target) for link in first.links] == [("Abgeleitet von", "NB-1")]
    assert (first.place.line, foreign.items[1].place.line) == (5, 7)
    assert [remark.message for remark in foreign.remarks if "read as" in remark.message] == (
        [f"is not UTF-8; read as {said}"] if said == "Windows-1252" else [f"has no byte order mark; read as {said}"]
    ) * bool(said)
    assert [remark.place.line for remark in foreign.remarks if "above the header" in remark.message] == [1, 2]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(separator: str) -> None:
    text = f"ID{separator}Title{separator}Text\r\n" + f'R1{separator}One{separator}"a, b; c"\r\n' * 2
    assert [item.content()[:4] for item in _csv(text).items] == [("R1", "", "One", "a, b; c")] * 2
    told = _csv(f"sep={separator}\n{text}")
    assert [item.place.line for item in told.items] == [3, 4]


def test_a_quote_that_is_never_closed_loses_nothing() -> None:
    foreign = _csv('ID,Text\nR1,"open\nR2,two\nR3,three\n')
    assert "R2,two\nR3,three" in foreign.items[0].text
    assert any("quotes are not closed" in remark.message and remark.place.line == 2 for remark in foreign.remarks)


def test_quotes_that_follow_spaces_are_quotes() -> None:
    foreign = _csv('ID, Text\nR1, "a, b"\nR2, c\n')
    assert [item.text for item in foreign.items] == ["a, b", "c"]
    assert [one.message for one in foreign.remarks if one.severity == "changed"] == [
        "quotes follow spaces: spaces before cells are not taken"
    ]
    assert _csv('ID,Text\nR1," ""a"", b"\n').items[0].text == '"a", b'


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 9, bytes(range(256)) * 4])
@pytest.mark.parametrize("name", ["a.csv", "a.md", "a.rst", "a.sdoc", "a.json"])
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match="is no text"):
        read_foreign(path, ForeignMapping())


@pytest.mark.parametrize("name", ["notes", "notes.txt", "page.html", "mail.eml"])
@pytest.mark.parametrize("text", ["ID;Text\nR1;x\n", "Dear all, see you; Anna\n", "<html>a, b</html>", "a\tb\n"])
def test_text_of_an_unknown_format_is_refused_with_a_reason(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="format is not known") as caught:
        read_foreign(path, ForeignMapping())
    assert "`format:` in a mapping file: csv, xlsx" in caught.value.hint
    assert isinstance(read_foreign(path, ForeignMapping(format="csv")), Foreign)


def test_zero_bytes_and_control_characters_are_removed_with_a_remark() -> None:
    foreign = _csv(b"ID,Text\nR1,a\x00b\x07c\nR2,ok\n")
    assert foreign.items[0].text == "abc"
    assert [(one.place.line, one.message) for one in foreign.remarks if one.severity == "changed"] == [
        (2, "2 control characters were removed from `Text` (U+0000, U+0007)")
    ]


def test_a_cell_of_three_megabytes_is_read_and_named_as_too_long(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'ID,Title,Text\nR1,Long,"{"word " * 600_000}"\nR2,Short,Text\n', encoding="utf-8")
    imported = import_file(path, mapping=None, taken=(), known_origins={}, kind="REQ")
    lost = next(remark for remark in imported.remarks if remark.field == "statement" and remark.severity == "lost")
    assert len(lost.value) > 2_900_000
    assert len(str(lost)) < 500
    assert "statement" in imported.items[0].missing
    assert imported.items[1].fields["statement"] == "Text"


@pytest.mark.parametrize("text", ["ID,Text\n", "ID;Text\n;\n", "\n\n,,\n"])
def test_a_table_without_rows_gives_no_items(text: str) -> None:
    foreign = _csv(text)
    assert foreign.items == []
    assert foreign.remarks


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.reqif", "a.json", "a.sdoc", "a.md", "a"])
@pytest.mark.parametrize("data", [b"", b"  \r\n", b"\xef\xbb\xbf", b"\x00\x00"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match="is empty"):
        read_foreign(path, ForeignMapping())


def test_unknown_names_of_columns_need_a_mapping() -> None:
    text = "Foo,Bar,Baz\nx y z 1,2,3\n"
    guessed = _csv(text)
    assert guessed.items[0].attributes == {"Foo": "x y z 1", "Bar": "2", "Baz": "3"}
    assert any("no column is known" in remark.message for remark in guessed.remarks)
    told = _csv(text, ForeignMapping(fields={"foo": "id", "BAR": "text", "Baz": "derives_from"}))
    assert told.items[0].content() == ("x y z 1", "", "", "2", (), told.items[0].links)
    assert told.items[0].links[0].relation == "derives_from"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("番号,要求,本文\nR1,a,ソフトウェアは警告する\nR2,b,x\n", ["R1", "R2"]),
        ("Exigence;Texte\nEX-1;Le logiciel\nEX 2;Deux\n", ["EX-1", "EX 2"]),
        ("Exigence;Texte\nEX-1;Le logiciel\nEX-1;Deux\n", ["", ""]),
        ("Name,Text\nBeep 2 times,x\nBeep,y\n", ["", ""]),
        ("SW Req. ID,Text\nA,x\n", ["A"]),
    ],
)
def test_the_id_is_found_by_its_looks_where_no_name_tells(text: str, ids: list[str]) -> None:
    assert [item.id for item in _csv(text).items] == ids


def test_columns_of_jira_and_repeated_ones_are_known() -> None:
    text = (
        "Summary,Issue key,Issue Type,Inward issue link (Parent),Inward issue link (Parent),Custom field (Safety Class)\n"
        "Login,MED-2,Story,MED-1,MED-3,B\n"
    )
    item = _csv(text).items[0]
    assert item.content()[:3] == ("MED-2", "Story", "Login")
    assert [link.target for link in item.links] == ["MED-1", "MED-3"]
    assert item.attributes == {"safety_class": "B"}


def test_a_row_that_is_called_like_the_stated_kind_is_no_header() -> None:
    text = "Priority,Issue Type,Empty\nhigh,Requirement,\n,Requirement,\n"
    foreign = _csv(text, ForeignMapping(kind="REQ"))
    assert [item.place.line for item in foreign.items] == [2, 3]
    assert [one.value for one in foreign.remarks if "without any value" in one.message] == ["Empty"]


def test_the_header_row_can_be_told() -> None:
    text = "ID,Text\nx,y\nName,Wert\nR1,Eins\n"
    foreign = _csv(text, ForeignMapping(header=3, fields={"Wert": "text", "Name": "id"}))
    assert [(item.id, item.text) for item in foreign.items] == [("R1", "Eins")]


def test_a_cell_that_names_several_items_is_split_by_what_is_known() -> None:
    foreign = _csv('ID,Text,Parent\n"A, 1",x,\nB,y,"A, 1"\nC,z,"B; D 7\nA-1 A-2"\n')
    assert [link.target for link in foreign.items[1].links] == ["A, 1"]
    assert [link.target for link in foreign.items[2].links] == ["B", "D 7", "A-1", "A-2"]


def test_formula_guards_of_spreadsheets_are_undone() -> None:
    assert _csv("ID,Text\nR1,'=1+1\nR2,'tis fine\nR3,''=x\n").items[0].text == "=1+1"
    assert [item.text for item in _csv("ID,Text\nR2,'tis fine\nR3,''=x\n").items] == ["'tis fine", "'=x"]


def test_cells_of_a_workbook_become_text() -> None:
    data = _sheet(
        ["ID", "Text", "Note"],
        [1, dt.date(2025, 3, 12), dt.datetime(2025, 3, 12, 14, 30)],  # noqa: DTZ001  a workbook knows no zones
        [2.0, 2.5, True],
        ["R_x000D_3", "  kept  ", None],
    )
    items = read_workbook(data, "a.xlsx", ForeignMapping()).items
    assert [(item.id, item.text, item.attributes.get("Note")) for item in items] == [
        ("1", "2025-03-12", "2025-03-12 14:30:00"),
        ("2", "2.5", "true"),
        ("R 3", "kept", None),
    ]
    assert [item.place.line for item in items] == [2, 3, 4]
    assert items[0].place.within == "Sheet"


def test_a_formula_without_a_value_is_named_and_never_computed() -> None:
    data = _sheet(["ID", "Text"], ["R1", "=1+1"], ["R2", "x"])
    foreign = read_workbook(data, "a.xlsx", ForeignMapping())
    assert [(one.severity, one.place.line, one.value) for one in foreign.remarks if one.value] == [("lost", 2, "=1+1")]
    changed = _with_value(data, b"<v></v>", b"<v>2</v>") or _with_value(data, b"<v />", b"<v>2</v>")
    foreign = read_workbook(changed, "a.xlsx", ForeignMapping())
    assert foreign.items[0].text == "2"
    assert [(one.severity, one.value) for one in foreign.remarks if one.value] == [("changed", "=1+1")]


def _with_value(data: bytes, old: bytes, new: bytes) -> bytes:
    """The same workbook with something replaced in its sheets; empty when it is not there."""
    stream, replaced = io.BytesIO(), False
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            replaced = replaced or (name.startswith("xl/worksheets/") and old in content)
            target.writestr(name, content.replace(old, new) if name.startswith("xl/worksheets/") else content)
    return stream.getvalue() if replaced else b""


def test_a_stray_cell_far_below_costs_nothing() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(["ID", "Text"])
    sheet.append(["R1", "a"])
    sheet["B300000"] = "far"
    items = read_workbook(_saved(workbook), "a.xlsx", ForeignMapping()).items
    assert [(item.place.line, item.text) for item in items] == [(2, "a"), (300_000, "far")]


def test_merged_cells_count_for_each_row() -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in (["Requirements of the pump"], ["ID", "Category", "Text"], ["R1", "data", "a"], ["R2", None, "b"]):
        sheet.append(row)
    sheet.merge_cells("A1:C1")
    sheet.merge_cells("B3:B4")
    items = read_workbook(_saved(workbook), "a.xlsx", ForeignMapping()).items
    assert [(item.id, item.attributes) for item in items] == [
        ("R1", {"category": "data"}),
        ("R2", {"category": "data"}),
    ]


def test_all_sheets_are_read_or_those_the_mapping_names() -> None:
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].append(["ID", "Text"])
    workbook.worksheets[0].append(["R1", "a"])
    second = workbook.create_sheet("Zwei")
    second.append(["Kennung", "Wortlaut"])
    second.append(["R2", "b"])
    data = _saved(workbook)
    assert [item.id for item in read_workbook(data, "a.xlsx", ForeignMapping()).items] == ["R1", "R2"]
    chosen = read_workbook(data, "a.xlsx", ForeignMapping(sheets=("Zwei",)))
    assert [item.id for item in chosen.items] == ["R2"]
    assert [remark.place.within for remark in chosen.remarks if remark.severity == "lost"] == ["Sheet"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 no zip at all", "zip"),
        (b"no zip", "zip"),
        (b"", "zip"),
    ],
)
def test_what_is_no_workbook_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_workbook(data, "a.xlsx", ForeignMapping())


def _zip(**files: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_archives_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="packed more than"):
        read_workbook(_zip(**{"xl/workbook.xml": b"\0" * (8 << 20)}), "a.xlsx", ForeignMapping())
    monkeypatch.setattr("minivess.foundation.reading.zip_guard.MAX_UNPACKED", 1000)
    with pytest.raises(InputError, match="unpacks to more"):
        read_workbook(_zip(a=b"x" * 600, b=b"y" * 600), "a.xlsx", ForeignMapping())
    with pytest.raises(InputError, match="holds more than"):
        read_workbook(_zip(**{str(number): b"" for number in range(2001)}), "a.xlsx", ForeignMapping())


def test_a_workbook_with_a_document_type_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'
    data = _sheet(["ID", "Text"], ["R1", "a"])
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("xl/more.xml", bomb)
    with pytest.raises(InputError, match="document type"):
        read_workbook(stream.getvalue(), "a.xlsx", ForeignMapping())
