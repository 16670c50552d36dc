"""An index as a page and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import groupby
from urllib.parse import quote

from minivess.compliance.documents.model.blocks import Block, Break, Code, Inline, Link, Mark, MarkState, Span, Text
from minivess.compliance.documents.model.making import Words, heading, paragraph, table
from minivess.compliance.documents.pages.page_alone import PageAlone, page_alone
from minivess.compliance.documents.rendering import Renderer
from minivess.foundation.implements import implements
from minivess.records.device.filing_index import Filing, FilingEdition, FilingIndex, IndexRow, IndexState

TITLES: dict[Filing, str] = {
    "fda": "Index for the FDA: eSTAR and QMSR",
    "eu": "Index for the EU: MDR and AI Act",
    "part11": "Index for 21 CFR Part 11",
}
NOT_COMPARED = "not yet compared with the text"
_MARKS: dict[IndexState, MarkState] = {"met in the pack": "passed", "your own process": "stated", "not met": "failed"}
_COLUMNS = (
    "id", "framework", "edition", "clause", "label", "state", "reason", "answers", "note", "source", "reviewed", "compared",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@implements("REQ-592", "REQ-593")
def index_page_of(renderer: Renderer, index: FilingIndex) -> str:
    """The page. Links lead into the unpacked pack, in a folder beside the page."""
    counts = ", ".join(f"{index.number(state)} {state}" for state in _MARKS)
    page = PageAlone(
        title=TITLES[index.filing],
        about="Clause by clause: what in the evidence pack answers it, what is your own process, and what is not met.",
        subject=f"{index.device} {index.version}",
        rows=(
            ("Clauses", f"{len(index.rows)}: {counts}"),
            ("Pack", Code(index.pack)),
            ("Digest of tag manifest", Code(index.tag_manifest)),
            ("Verdict on the pack", index.verdict),
            ("Keys", index.keys),
        ),
        body=tuple(_body(index)),
        footer="Made from the verified pack. index.json and index.csv beside this page have the same rows.",
    )
    return page_alone(renderer, page)


@implements("REQ-592", "REQ-593")
def index_csv_of(index: FilingIndex) -> str:
    """The rows as CSV (RFC 4180, lines end with a line feed). No cell begins like a formula of a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in index.rows:
        edition = row.edition
        places = "; ".join(one.place for one in row.answers)
        cells = (
            row.id, edition.name, edition.edition, row.clause, row.label, row.state, row.reason, places, row.note, edition.source,
            edition.reviewed.isoformat(), "yes" if edition.compared else NOT_COMPARED,
        )  # fmt: skip
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return out.getvalue()


def _body(index: FilingIndex) -> Iterator[Block]:
    yield heading("How to read this index")
    yield paragraph(
        (
            Text(
                "“Met in the pack” means that the parts named are in the verified pack, that no chapter of them is missing, "
            ),
            Text(
                "and that the checks of standards which the clause rests on are met there. It does not mean that an authority "
            ),
            Text(
                "agrees. “Your own process” means that the manufacturer answers; the pack may help. The wording is ours. "
            ),
            Text("Links work when the pack is unpacked beside this page into the folder "),
            Code(index.pack),
            Text("."),
        )
    )
    for edition, rows in groupby(index.rows, key=lambda row: row.edition):
        yield heading(edition.name)
        yield paragraph(_about(edition), "soft")
        head = ("Clause", "Asks for", "State", "Answered by", "Not met because, or yours")
        yield table(head, (_cells(row, index) for row in rows))


def _about(edition: FilingEdition) -> str:
    compared = "compared with the text" if edition.compared else NOT_COMPARED
    return (
        f"Edition: {edition.edition}. Source: {edition.source}. Reviewed on {edition.reviewed.isoformat()}; {compared}."
    )


def _cells(row: IndexRow, index: FilingIndex) -> tuple[Words, ...]:
    links: list[Inline] = []
    for answer in row.answers:
        links += [Break()] if links else []
        links.append(Link(f"./{quote(index.pack)}/{answer.place}", (Text(answer.title),)))
    said: list[Inline] = [Text(row.reason)] if row.reason else []
    if row.note:
        said += [Break()] if said else []
        said.append(Span("soft", (Text(row.note),)))
    state = Mark(_MARKS[row.state], row.state)
    return row.clause, f"{row.label} ({row.id})", state, tuple(links) or "–", tuple(said) or "–"
