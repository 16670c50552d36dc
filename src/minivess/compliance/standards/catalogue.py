"""Catalogues of clauses as data: committed CSV files with the source and the review date of every row.

They hold paraphrases in few words, compiled from secondary sources; the standards' own sentences are copyrighted. A new
edition of a standard is another file, not another program.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Literal, cast

from minivess.foundation.errors import CouldNotCheckError, UsageError

SafetyClass = Literal["A", "B", "C"]
Automation = Literal["auto", "partial", "attest"]

_CLAUSE_COLUMNS = ("clause", "classes", "paraphrase", "automation", "evidence", "source", "reviewed")
_CHECK_COLUMNS = ("id", "standard_clause", "classes", "check", "mode", "source", "reviewed")
_FOLDER = "catalogues"


@dataclass(frozen=True)
class Clause:
    """One clause: the safety classes it binds, what it asks in a few words, and which named evidence would meet it."""

    number: str
    classes: frozenset[SafetyClass]
    paraphrase: str
    automation: Automation
    evidence: tuple[str, ...]
    """All of these must be present; empty where no evidence of this project is claimed for it."""
    source: str
    reviewed: date


@dataclass(frozen=True)
class StandardCheck:
    """One check of the list over all standards this project looks at."""

    id: str
    standard_clause: str
    classes: frozenset[SafetyClass]
    check: str
    mode: Automation
    source: str
    reviewed: date


@dataclass(frozen=True)
class Catalogue:
    """The clauses of one edition of a standard."""

    name: str
    clauses: tuple[Clause, ...]

    def binding(self, safety_class: SafetyClass) -> tuple[Clause, ...]:
        """The clauses that bind software of a class."""
        return tuple(clause for clause in self.clauses if safety_class in clause.classes)


def iec62304() -> Catalogue:
    """IEC 62304:2006 with its amendment of 2015.

    Raises:
        CouldNotCheckError: the catalogue in this installation is damaged.
    """
    rows = _rows("iec62304-2006-a1-2015.csv", _CLAUSE_COLUMNS)
    clauses = tuple(
        Clause(
            number=row["clause"],
            classes=_classes(row["classes"]),
            paraphrase=row["paraphrase"],
            automation=_automation(row["automation"]),
            evidence=tuple(row["evidence"].split()),
            source=row["source"],
            reviewed=date.fromisoformat(row["reviewed"]),
        )
        for row in rows
    )
    return Catalogue("IEC 62304:2006+A1:2015", clauses)


def checks() -> tuple[StandardCheck, ...]:
    """The checks over all standards (IEC 62304, ISO 14971, FDA guidance, 21 CFR Part 11, EU AI Act, IMDRF N88).

    Raises:
        CouldNotCheckError: the catalogue in this installation is damaged.
    """
    return tuple(
        StandardCheck(
            id=row["id"],
            standard_clause=row["standard_clause"],
            classes=_classes(row["classes"].partition(" ")[0].replace("-", "")),
            check=row["check"],
            mode=_automation(row["mode"]),
            source=row["source"],
            reviewed=date.fromisoformat(row["reviewed"]),
        )
        for row in _rows("checks.csv", _CHECK_COLUMNS)
    )


def clause(catalogue: Catalogue, number: str) -> Clause:
    """One clause by its number.

    Raises:
        UsageError: the catalogue has no such clause.
    """
    found = next((entry for entry in catalogue.clauses if entry.number == number), None)
    if found is None:
        raise UsageError(f"{catalogue.name} has no clause {number}")
    return found


def _rows(name: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    text = files("minivess.compliance.standards").joinpath(_FOLDER, name).read_text(encoding="utf-8")
    reader = csv.DictReader(text.splitlines(), strict=True)
    if tuple(reader.fieldnames or ()) != columns:
        raise CouldNotCheckError(f"the catalogue {name} has other columns than expected", hint="install minivess again")
    rows = list(reader)
    if any(None in row or None in row.values() for row in rows):
        raise CouldNotCheckError(f"the catalogue {name} has a row of the wrong length", hint="install minivess again")
    return rows


def _classes(text: str) -> frozenset[SafetyClass]:
    return frozenset(cast("list[SafetyClass]", list(text)))


def _automation(text: str) -> Automation:
    if text not in {"auto", "partial", "attest"}:
        raise CouldNotCheckError(f"a catalogue row has the unknown mode {text!r}", hint="install minivess again")
    return cast("Automation", text)
