"""What a pack carries, in words: a table of its kinds of files, with how each is checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Final

from minivess.compliance.release.layout import UNBOUND, layout
from minivess.foundation.implements import implements
from minivess.foundation.reading.packaged_tables import read_table
from minivess.records.items.coverage import CoverageReport
from minivess.records.items.trace import ResultReport

_COLUMNS = ("title", "files", "about", "absent")
_CHECKS: Final = {
    "entry": "Output of a log entry; both verifiers compare its digest",
    "log": "Part of the audit log; both verifiers check every entry",
    "derived": "Both verifiers derive it again",
    "release verify": "`release verify` derives or compares it again; `verify.py` compares its digest",
    "deep": "Digest in the log; `release verify --deep` makes it again from the source tree",
    "attested": "Digest in the log; taken as the build states it",
}
"""How a file is checked, by what shows that it is right."""


@dataclass(frozen=True)
class _Kind:
    """A row of the table."""

    title: str
    patterns: tuple[str, ...]
    about: str
    absent: str


@dataclass(frozen=True)
class Carried:
    """One kind of files in a pack."""

    title: str
    about: str
    files: tuple[str, ...]
    """Their names relative to `data/`, in the order of the table and then of name."""
    checks: tuple[str, ...]
    """How they are checked."""
    absent: str
    """Why there is none; empty where there are some."""


@implements("REQ-628")
def carried(files: Iterable[str], report: ResultReport, coverage: CoverageReport | None) -> tuple[Carried, ...]:
    """The table of a pack.

    Args:
        files: the names of its files relative to `data/`.
        report: the results of its tests.
        coverage: what was measured with them.
    """
    known = sorted(files)
    more = {"Results of tests": _results_in_words(report), "Coverage": "" if coverage is None else f"{coverage.words}."}
    found = []
    for kind in _kinds():
        names = tuple(dict.fromkeys(name for one in kind.patterns for name in known if fnmatchcase(name, one)))
        about = f"{kind.about} {more.get(kind.title, '')}".rstrip()
        found.append(Carried(kind.title, about, names, _checks(names), "" if names else kind.absent))
    return tuple(one for one in found if one.files or one.absent)


def basis_of(name: str) -> str:
    """What shows that a file of a pack is right: a key of the table of checks.

    Args:
        name: relative to `data/`.
    """
    row = layout().row(name)
    if row is not None and row.made_by is not None:
        return "entry"
    if row is None or row.basis == "deep":
        return "log" if name.startswith(UNBOUND) else "deep"
    return row.basis


def _checks(names: Sequence[str]) -> tuple[str, ...]:
    held = {basis_of(name) for name in names}
    return tuple(words for basis, words in _CHECKS.items() if basis in held)


def _results_in_words(report: ResultReport) -> str:
    """How many scenarios and other tests there are, so that a run of scenarios alone does not look like all tests."""
    scenarios = sum(one.scenario is not None for one in report.results)
    others = len(report.results) - scenarios
    first = f"{scenarios:,} {'scenario' if scenarios == 1 else 'scenarios'}"
    second = "no other tests" if others == 0 else f"{others:,} other {'test' if others == 1 else 'tests'}"
    failed = sum(one.outcome != "passed" for one in report.results)
    return f"{first} and {second} ran; {f'{failed:,} did not pass' if failed else 'all passed'}."


@cache
def _kinds() -> tuple[_Kind, ...]:
    return read_table(
        __package__,
        "pack_contents.csv",
        _COLUMNS,
        lambda row: _Kind(row["title"], tuple(row["files"].split("|")), row["about"], row["absent"]),
    )
