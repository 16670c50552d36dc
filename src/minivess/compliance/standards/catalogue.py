"""Catalogues as data: clauses, checks and hazards of machine learning, every row with its source and date of review.

They hold paraphrases in few words, compiled from secondary sources; the standards' own sentences are copyrighted. A new
edition of a standard is another file, not another program.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal, cast, get_args

from minivess.foundation.errors import UsageError
from minivess.foundation.reading.packaged_tables import damaged, read_table

SafetyClass = Literal["A", "B", "C"]
"""Of IEC 62304 4.3."""
DocumentationLevel = Literal["basic", "enhanced"]
"""Of the FDA's guidance on device software functions (2023)."""
Mode = Literal["auto", "partial", "attest", "item"]

_HERE = "minivess.compliance.standards"
_IEC62304 = "catalogues/iec62304-2006-a1-2015.csv"
_CHECKS = "catalogues/checks.csv"
_ML_HAZARDS = "catalogues/ml-hazards.csv"
_COLUMNS = (
    "id", "standard", "clauses", "classes", "levels", "paraphrase", "mode", "evidence", "source", "reviewed",
)  # fmt: skip
_HAZARD_COLUMNS = ("id", "group", "paraphrase", "source", "reviewed")
_CLASSES = frozenset[SafetyClass](get_args(SafetyClass))
_LEVELS = frozenset[DocumentationLevel](get_args(DocumentationLevel))


@dataclass(frozen=True)
class Clause:
    """One row of a catalogue: a clause of a standard, a check of clauses, or a hazard that has to be considered."""

    id: str
    """How attestations and justifications name it: `IEC 62304 5.2.1`, `R04`, `MLH-07`."""
    standard: str
    numbers: tuple[str, ...]
    """The clauses of the standard that it is about."""
    classes: frozenset[SafetyClass]
    """The safety classes it binds."""
    levels: frozenset[DocumentationLevel]
    """The documentation levels it is asked for."""
    paraphrase: str
    mode: Mode
    """How far a tool can tell: all of it (`auto`), a part (`partial`), nothing, a person must attest (`attest`); or an
    item of the risk file has to name it (`item`)."""
    evidence: tuple[str, ...]
    """Names that must all be present; empty where nothing in this project shows it."""
    source: str
    reviewed: date

    @property
    def label(self) -> str:
        """How tables show it beside its standard: `5.2.1`, `R04: 5.4`, `MLH-07`."""
        numbers = ", ".join(self.numbers)
        return numbers if self.id.endswith(f" {numbers}") else f"{self.id}: {numbers}" if numbers else self.id

    @property
    def subjects(self) -> tuple[tuple[str, ...], ...]:
        """What an attestation or a justification may name: the row itself, or all the clauses it is about."""
        clauses = tuple(f"{self.standard} {number}" for number in self.numbers)
        return ((self.id,), clauses) if clauses else ((self.id,),)

    def binds(self, safety_class: SafetyClass, level: DocumentationLevel) -> bool:
        """Whether it is asked of software of a class, documented at a level."""
        return safety_class in self.classes and level in self.levels


@dataclass(frozen=True)
class Catalogue:
    """The rows of one table."""

    name: str
    clauses: tuple[Clause, ...]

    def binding(self, safety_class: SafetyClass, level: DocumentationLevel = "basic") -> tuple[Clause, ...]:
        """The rows that are asked of software of a class, documented at a level."""
        return tuple(clause for clause in self.clauses if clause.binds(safety_class, level))


@cache
def iec62304() -> Catalogue:
    """IEC 62304:2006 with its amendment of 2015, clause by clause.

    Raises:
        CouldNotCheckError: the catalogue in this installation is damaged.
    """
    return Catalogue("IEC 62304:2006+A1:2015", _read(_IEC62304))


@cache
def checks() -> Catalogue:
    """Checks over all standards (IEC 62304, ISO 14971, FDA guidance, 21 CFR Part 11, EU AI Act, IMDRF N88).

    Raises:
        CouldNotCheckError: the catalogue in this installation is damaged.
    """
    return Catalogue("Checks over all standards", _read(_CHECKS))


@cache
def ml_hazards() -> Catalogue:
    """Hazards of machine learning that a risk file has to consider or justify (BS/AAMI 34971, ISO/TS 24971-2).

    Raises:
        CouldNotCheckError: the catalogue in this installation is damaged.
    """
    name = "Hazards of machine learning"
    rows = read_table(_HERE, _ML_HAZARDS, _HAZARD_COLUMNS, lambda row: _hazard(row, name))
    return Catalogue(name, rows)


def catalogues() -> tuple[Catalogue, ...]:
    """All catalogues: clauses of IEC 62304, checks over all standards, hazards of machine learning."""
    return (iec62304(), checks(), ml_hazards())


def clause(catalogue: Catalogue, name: str) -> Clause:
    """One row by its id, or by its number where the catalogue is of one standard.

    Raises:
        UsageError: the catalogue has no such row.
    """
    for entry in catalogue.clauses:
        if name in (entry.id, entry.label):
            return entry
    raise UsageError(f"{catalogue.name} has no clause {name}")


def _read(name: str) -> tuple[Clause, ...]:
    rows = read_table(_HERE, name, _COLUMNS, _clause)
    if len({row.id for row in rows}) != len(rows):
        raise damaged(name, "names an id twice")
    return rows


def _clause(row: dict[str, str]) -> Clause:
    if row["mode"] not in ("auto", "partial", "attest"):
        raise ValueError(f"unknown mode `{row['mode']}`")
    classes = _CLASSES if row["classes"] == "-" else frozenset(row["classes"])
    levels = _LEVELS if row["levels"] == "-" else frozenset(row["levels"].split())
    if not classes or not levels or classes - _CLASSES or levels - _LEVELS:
        raise ValueError(f"unknown class or level in `{row['classes']}`, `{row['levels']}`")
    return Clause(
        id=row["id"],
        standard=row["standard"],
        numbers=tuple(number for number in row["clauses"].split(";") if number),
        classes=cast("frozenset[SafetyClass]", classes),
        levels=cast("frozenset[DocumentationLevel]", levels),
        paraphrase=row["paraphrase"],
        mode=cast("Mode", row["mode"]),
        evidence=tuple(row["evidence"].split()),
        source=row["source"],
        reviewed=date.fromisoformat(row["reviewed"]),
    )


def _hazard(row: dict[str, str], standard: str) -> Clause:
    return Clause(
        id=row["id"],
        standard=standard,
        numbers=(),
        classes=_CLASSES,
        levels=_LEVELS,
        paraphrase=f"{row['group']}: {row['paraphrase']}",
        mode="item",
        evidence=(),
        source=row["source"],
        reviewed=date.fromisoformat(row["reviewed"]),
    )
