"""The clauses of a filing, as data: which part of a pack answers each, and what stays with the manufacturer.

`catalogues/filings/editions.csv` has each framework with its edition, its source, the date of its last review and whether it was
compared with the text. The tables beside it have the clauses, in few words of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal, cast, get_args

from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import damaged, read_table
from minivess.records.device.filing_index import Filing, FilingEdition

Owner = Literal["pack", "user"]
"""Who answers: the pack alone, or the manufacturer, whom the pack may help."""
_HERE = "minivess.compliance.standards"
_EDITIONS = "catalogues/filings/editions.csv"
_EDITION_COLUMNS = ("key", "filing", "name", "edition", "source", "reviewed", "compared")
_COLUMNS = ("id", "edition", "clause", "label", "owner", "answered_by", "rests_on", "entries", "note")
_COMPARED = {"yes": True, "no": False}


@dataclass(frozen=True)
class FilingClause:
    """One clause, section or attachment that a filing asks for."""

    id: str
    edition: FilingEdition
    clause: str
    label: str
    owner: Owner
    answered_by: tuple[str, ...]
    """Parts of a pack: the stem of a document, `stem#title of a section`, or a file relative to `data/`."""
    rests_on: tuple[str, ...]
    """Rows of the catalogues of standards that have to be met besides."""
    entries: tuple[str, ...]
    """Actions of which the log has to have an entry."""
    note: str
    """What stays with the manufacturer."""


@implements("REQ-593")
@cache
def filing_clauses(filing: Filing) -> tuple[FilingClause, ...]:
    """The clauses of a filing in their order.

    Raises:
        CouldNotCheckError: a table in this installation is damaged.
    """
    editions = dict(read_table(_HERE, _EDITIONS, _EDITION_COLUMNS, _edition))
    path = f"catalogues/filings/{filing}.csv"
    rows = read_table(_HERE, path, _COLUMNS, lambda row: _clause(row, editions, filing))
    if len({row.id for row in rows}) != len(rows):
        raise damaged(path, "names an id twice")
    return rows


def _edition(row: dict[str, str]) -> tuple[str, tuple[str, FilingEdition]]:
    made = FilingEdition(
        name=row["name"],
        edition=row["edition"],
        source=row["source"],
        reviewed=date.fromisoformat(row["reviewed"]),
        compared=_COMPARED[row["compared"]],
    )
    return row["key"], (row["filing"], made)


def _clause(row: dict[str, str], editions: dict[str, tuple[str, FilingEdition]], filing: Filing) -> FilingClause:
    of, edition = editions[row["edition"]]
    if of != filing or row["owner"] not in get_args(Owner):
        raise ValueError(f"{row['id']} is of another filing, or nobody owns it")
    if row["owner"] == "pack" and not row["answered_by"]:
        raise ValueError(f"nothing in a pack answers {row['id']}")

    def parts(name: str, separator: str = ";") -> tuple[str, ...]:
        return tuple(one for one in row[name].split(separator) if one)

    return FilingClause(
        row["id"],
        edition,
        row["clause"],
        row["label"],
        cast("Owner", row["owner"]),
        parts("answered_by"),
        parts("rests_on"),
        parts("entries", " "),
        row["note"],
    )
