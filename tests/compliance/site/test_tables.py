"""The trace as CSV, as a workbook, and as rows of a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from minivess.compliance.site.trace_tables import COLUMNS, item_rows
from minivess.foundation.errors import CouldNotCheckError
from tests.support.builders.trace_data import empty_trace, make_item, make_trace
from tests.support.trace_site import terminal_view, view_of, write_csv, write_xlsx

pytestmark = pytest.mark.verifies("SU-24")

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1")


def formula_trace() -> dict[str, Any]:
    items = [
        make_item(f"REQ-{number:03}", "software-requirement", title) for number, title in enumerate(FORMULAS, start=1)
    ]
    return empty_trace() | {"items": items}


def test_csv_reads_back_as_it_was_written(tmp_path: Path) -> None:
    trace = make_trace(60)
    write_csv(trace, tmp_path / "items.csv")
    rows = list(csv.reader(io.StringIO((tmp_path / "items.csv").read_text(encoding="utf-8"), newline="")))
    assert rows[0] == list(COLUMNS)
    assert rows[1:] == [[str(cell) for cell in row] for row in item_rows(view_of(trace))]
    by_id = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]}
    assert set(by_id) == {item["id"] for item in trace["items"]}
    assert by_id["REQ-001"]["up"] == "SYS-02; RC-01"
    assert by_id["REQ-005"]["failed"] == "1"


@pytest.mark.verifies("REQ-267")
def test_each_link_is_named_by_its_own_relation_at_both_ends() -> None:
    trace = make_trace(60)
    view = view_of(trace)
    words = {row["name"]: (row["forward"], row["backward"]) for row in trace["relations"]}
    expected: dict[str, set[tuple[str, str]]] = {item["id"]: set() for item in trace["items"]}
    for item in trace["items"]:
        for edge in item["links"]:
            forward, backward = words[edge["relation"]]
            expected[item["id"]].add((forward, edge["target"]))
            if edge["target"] in expected:
                expected[edge["target"]].add((backward, item["id"]))
    relations = COLUMNS.index("relations")
    for row in item_rows(view):
        found = {
            (match[1], one)
            for group in str(row[relations]).split("; ")
            for match in [re.fullmatch(r"([a-z ]+) (\S+(?:, \S+)*)", group)]
            if match
            for one in match[2].split(", ")
        }
        assert found == expected[str(row[0])]


def test_no_cell_of_the_csv_is_a_formula(tmp_path: Path) -> None:
    write_csv(formula_trace(), tmp_path / "items.csv")
    with (tmp_path / "items.csv").open(encoding="utf-8", newline="") as stream:
        titles = [row["title"] for row in csv.DictReader(stream)]
    assert titles == [f"'{title}" for title in FORMULAS]


def test_the_workbook_reads_back_as_it_was_written(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    trace = make_trace(60)
    write_xlsx(trace, tmp_path / "trace.xlsx")
    book = openpyxl.load_workbook(tmp_path / "trace.xlsx")
    assert book.sheetnames == ["Items", "Links", "Results", "Signatures", "Gaps", "Standards"]
    rows = [["" if cell is None else cell for cell in row] for row in book["Items"].iter_rows(values_only=True)]
    assert rows[0] == list(COLUMNS)
    assert rows[1:] == list(item_rows(view_of(trace)))
    assert book["Links"].max_row == 1 + sum(len(item["links"]) for item in trace["items"])
    assert book["Results"].max_row == 1 + sum(len(item["results"]) for item in trace["items"])
    signed = len(trace["signatures"]) + sum(len(item["signatures"]) for item in trace["items"])
    assert book["Signatures"].max_row == 1 + signed
    assert book["Gaps"].max_row == 1 + len(trace["gaps"])
    assert book["Standards"].max_row == 1 + len(trace["coverage"])


def test_no_cell_of_the_workbook_is_a_formula(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    trace = formula_trace()
    trace["items"][0]["title"] = "=1+1"
    trace["items"][1]["title"] = "bell \x07 and half a pair \ud800"
    trace["items"][2]["title"] = "x" * 40_000
    trace["items"][3]["title"] = "#REF!"
    write_xlsx(trace, tmp_path / "trace.xlsx")
    cells = [row[2] for row in openpyxl.load_workbook(tmp_path / "trace.xlsx")["Items"].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert cells[0].value == "=1+1"
    assert cells[1].value == "bell \ufffd and half a pair \ufffd"
    assert len(cells[2].value) == 32_767
    assert cells[3].value == "#REF!"


def test_the_workbook_has_the_same_bytes_for_the_same_trace(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    trace = make_trace(30)
    write_xlsx(trace, tmp_path / "one.xlsx")
    write_xlsx(json.loads(json.dumps(trace)), tmp_path / "two.xlsx")
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


def test_without_openpyxl_the_answer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(CouldNotCheckError, match="openpyxl"):
        write_xlsx(make_trace(), tmp_path / "trace.xlsx")


def ids(trace: dict[str, Any], **filters: Any) -> list[str]:
    return [row[0] for row in terminal_view(trace, **filters).rows]


def test_the_terminal_shows_what_the_filters_leave() -> None:
    trace = make_trace(60)
    items = trace["items"]
    everything = terminal_view(trace)
    assert everything.total == len(everything.rows) == len(items)
    assert all(len(row) == len(everything.header) for row in everything.rows)
    assert ids(trace, kind="software-requirement") == ids(trace, kind="REQ") == [f"REQ-{n:03}" for n in range(1, 61)]
    assert ids(trace, status="failed") == [item["id"] for item in items if item["status"] == "failed"]
    assert ids(trace, suspect=True) == [item["id"] for item in items if item["suspect"]]
    assert ids(trace, search="RECEIPT inference", kind="REQ", status="passed") == [
        item["id"]
        for item in items
        if item["kind"] == "software-requirement"
        and item["status"] == "passed"
        and "receipt of an inference" in item["title"]
    ]
    assert ids(trace, search="nothing of the kind") == []
    assert ids(trace, standard="IEC 62304 5.3") == ["SI-01", "SI-02", "SI-03"]
    assert ids(trace, standard="IEC 62304 5.3.11") == []
    assert len(ids(trace, standard="ISO 14971")) == 12


def test_a_title_cannot_command_the_terminal() -> None:
    trace = empty_trace() | {"items": [make_item("REQ-001", "software-requirement", "a\x1b]0;pwned\x07\n\u202eb\x9bc")]}
    (row,) = terminal_view(trace).rows
    assert all(character.isprintable() for cell in row for character in cell)


def test_a_long_title_is_cut() -> None:
    trace = empty_trace() | {"items": [make_item("REQ-001", "software-requirement", "x" * 500)]}
    assert len(terminal_view(trace).rows[0][2]) == 60
