"""The trace as tables: CSV and XLSX for a spreadsheet, rows for a terminal. No cell is taken for a formula or a command."""

from __future__ import annotations

import csv
import importlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from minivess.compliance.site.view import TraceView, not_run, open_gaps, others, relations_in_words, status_word
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.files import write_atomic
from minivess.records.items.trace_data import TraceData, TraceEvidence, TraceItem

COLUMNS = (
    "id", "kind", "title", "status", "suspect", "standards", "up", "down", "scenarios", "tests", "code", "passed",
    "failed", "open_gaps", "justified_gaps", "evidence", "signed", "out_of_date", "source", "relations", "not_run",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_LONGEST_CELL = 32_767
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MODIFIED = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
_TITLE_IN_TERMINAL = 60


def item_rows(view: TraceView) -> Iterator[list[str | int]]:
    """One row an item, in the order of the trace, by `COLUMNS`."""
    for item in view.items:
        identifier = item.id
        outcomes = [result.outcome for result in item.results]
        still_open = len(open_gaps(item))
        yield [
            identifier,
            item.kind,
            item.title,
            item.status,
            "yes" if item.suspect else "no",
            "; ".join(item.standards),
            "; ".join(others(view.up[identifier])),
            "; ".join(others(view.down[identifier])),
            "; ".join(row.name for row in item.scenarios),
            "; ".join(row.name for row in item.tests),
            "; ".join(row.name for row in item.code),
            outcomes.count("passed"),
            outcomes.count("failed"),
            still_open,
            len(item.gaps) - still_open,
            "; ".join(dict.fromkeys(file.path for row in item.results for file in row.evidence)),
            len(item.signatures),
            sum(bool(row.out_of_date) for row in item.signatures),
            f"{item.source.path}:{item.source.line}",
            relations_in_words((*view.up[identifier], *view.down[identifier])),
            "; ".join(not_run(item)),
        ]


def items_csv(view: TraceView) -> str:
    """One row an item as CSV (RFC 4180). What a spreadsheet would calculate stands behind an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in item_rows(view):
        writer.writerow([defused(cell) for cell in row])
    return stream.getvalue()


def defused(cell: str | int) -> str | int:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_csv(trace: TraceData, path: Path) -> None:
    """Write the items as CSV.

    Raises:
        InputError: an id stands twice.
        CannotWriteError: the disk is full, read-only or out of reach.
    """
    write_atomic(path, items_csv(TraceView(trace)).encode("utf-8", "replace"))


def write_xlsx(trace: TraceData, path: Path) -> None:
    """Write items, links, results, gaps and clauses as sheets of one workbook; the same bytes for the same trace.

    Raises:
        InputError: an id stands twice.
        CouldNotCheckError: openpyxl is not installed.
        CannotWriteError: the disk is full, read-only or out of reach.
    """
    view = TraceView(trace)
    try:
        openpyxl = importlib.import_module("openpyxl")
        cells = importlib.import_module("openpyxl.cell")
    except ModuleNotFoundError as error:
        raise CouldNotCheckError("workbooks need openpyxl", hint="install openpyxl, or write CSV") from error
    book = openpyxl.Workbook(write_only=True)
    for title, header, rows in _sheets(view):
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        for index, width in enumerate((14, 22, 48), start=0):
            sheet.column_dimensions["ABC"[index]].width = width
        sheet.append(list(header))
        for row in rows:
            sheet.append([_plain_cell(cells.WriteOnlyCell, sheet, cell) for cell in row])
    stream = io.BytesIO()
    book.save(stream)
    write_atomic(path, _undated(stream.getvalue()))


def _plain_cell(make: Any, sheet: Any, value: str | int | None) -> Any:
    """A cell that holds its text as text: a formula is one only by its type, which is set here."""
    if not isinstance(value, str):
        return value
    text = _NOT_XML.sub("\ufffd", value)
    if len(text) > _LONGEST_CELL:
        text = f"{text[: _LONGEST_CELL - 1]}…"
    if not text.startswith(("=", "#")):
        return text
    cell = make(sheet, value=text)
    cell.data_type = "s"
    return cell


def _sheets(view: TraceView) -> Iterator[tuple[str, tuple[str, ...], Iterable[Iterable[str | int | None]]]]:
    trace = view.trace
    yield "Items", COLUMNS, item_rows(view)
    yield (
        "Links",
        ("item", "relation", "target", "suspect", "reviewed_by", "reviewed", "entry"),
        (
            [
                item.id,
                link.relation,
                link.target,
                "yes" if link.suspect else "no",
                *(getattr(link.reviewed, name, None) for name in ("by", "time", "entry")),
            ]
            for item in view.items
            for link in item.links
        ),
    )
    results = ("name", "node", "outcome", "seconds", "message")
    yield (
        "Results",
        ("item", *results, "evidence"),
        (
            [item.id, *(getattr(result, name) for name in results), _files(result.evidence)]
            for item in view.items
            for result in item.results
        ),
    )
    said = ("entry", "actor", "time", "meaning", "about", "digest", "out_of_date")
    yield (
        "Signatures",
        ("item", *said),
        (
            [identifier, *(getattr(row, name) for name in said)]
            for identifier, rows in (
                ("", trace.signatures),
                *((item.id, item.signatures) for item in view.items),
            )
            for row in rows
        ),
    )
    reasons = ("reason", "owner", "expires")
    yield (
        "Gaps",
        ("item", "kind", "message", "path", "line", *reasons),
        (
            [
                *(getattr(gap, name) for name in ("item", "kind", "message", "path", "line")),
                *(getattr(gap.justified, name, None) for name in reasons),
            ]
            for gap in trace.gaps
        ),
    )
    clauses = ("standard", "clause", "paraphrase", "status", "reason")
    yield (
        "Standards",
        (*clauses, "evidence"),
        ([*(getattr(row, name) for name in clauses), "; ".join(row.evidence)] for row in trace.coverage),
    )


def _files(evidence: Iterable[TraceEvidence]) -> str:
    return "; ".join(f"{file.path} {file.digest or 'missing'}" for file in evidence)


def _undated(workbook: bytes) -> bytes:
    """The workbook without the moment at which it was written."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            data = old.read(name)
            if name == "docProps/core.xml":
                data = _MODIFIED.sub(rb"\g<1>1980-01-01T00:00:00Z", data)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            new.writestr(entry, data)
    return stream.getvalue()


class TerminalView(NamedTuple):
    """What a terminal shows: a table, and how many items there are without the filters."""

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    total: int


def terminal_view(
    trace: TraceData,
    *,
    kind: str | None = None,
    status: str | None = None,
    standard: str | None = None,
    suspect: bool = False,
    search: str = "",
) -> TerminalView:
    """The items that pass every filter, as the CLI's table wants them.

    Args:
        trace: the trace.
        kind: a kind or its prefix, such as `software-requirement` or `REQ`.
        status: a status such as `failed`.
        standard: the beginning of a clause, such as `IEC 62304 5.2`.
        suspect: suspect items alone.
        search: words that all stand in the id, title, texts or source of an item, in any case.

    Raises:
        InputError: an id stands twice.
    """
    view = TraceView(trace)
    prefixes = {row.prefix.lower(): row.kind for row in trace.kinds}
    wanted = None if kind is None else prefixes.get(kind.lower(), kind)
    words = search.lower().split()
    rows = [
        _terminal_row(view, item)
        for item in view.items
        if (wanted is None or item.kind == wanted)
        and (status is None or item.status == status)
        and (standard is None or any(_within(clause, standard) for clause in item.standards))
        and (item.suspect or not suspect)
        and _found(item, words)
    ]
    return TerminalView(("id", "kind", "title", "status", "up", "down", "passed", "open"), rows, len(view.items))


def _within(clause: str, wanted: str) -> bool:
    """Whether a clause is the one that is asked for or lies below it: 5.2.2 lies in 5.2, 5.21 does not."""
    return clause == wanted or (clause.startswith(wanted) and clause[len(wanted)] in ". ")


def _found(item: TraceItem, words: list[str]) -> bool:
    if not words:
        return True
    parts = (item.id, item.title, item.source.path, *(row.value for row in item.text))
    text = "\n".join(parts).lower()
    return all(word in text for word in words)


def _terminal_row(view: TraceView, item: TraceItem) -> tuple[str, ...]:
    identifier, title = item.id, item.title
    if len(title) > _TITLE_IN_TERMINAL:
        title = f"{title[: _TITLE_IN_TERMINAL - 1].rstrip()}…"
    passed = sum(result.outcome == "passed" for result in item.results)
    cells = (
        identifier,
        view.kinds[item.kind][0],
        title,
        f"{status_word(item.status)}{', suspect' if item.suspect else ''}",
        _few(others(view.up[identifier])),
        _few(others(view.down[identifier])),
        f"{passed}/{len(item.results)}" if item.results else "",
        str(len(open_gaps(item)) or ""),
    )
    return tuple(_NOT_SHOWN.sub("\ufffd", cell) for cell in cells)


def _few(identifiers: list[str]) -> str:
    shown = " ".join(identifiers[:3])
    return f"{shown} +{len(identifiers) - 3}" if len(identifiers) > 3 else shown
