"""Recorded test results, read back (IEC 62304 5.7.5, 9.8). They are written by `pytest_plugin`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from minivess.foundation.provenance import SourceVersion
from minivess.foundation.reading.json_records import read_json_record
from minivess.records.items.trace import RecordedResult, ResultReport

Verdict = Literal["passed", "failed", "untested", "stale"]


def read_report(path: Path) -> ResultReport:
    """Read a results file.

    Raises:
        InputError: it is missing, too large, or no results file of this version.
    """
    return read_json_record(
        path,
        ResultReport,
        shown=path.name,
        wrong="is no results file",
        hint="record results again with `pytest --evidence-results`",
    )


def is_of(report: ResultReport, version: SourceVersion) -> bool:
    """Whether results were recorded on this tree and environment; others count for nothing."""
    return report.tree == version.tree and report.environment == version.environment


def judge(results: Iterable[RecordedResult]) -> Verdict:
    """One verdict for several results: one failure fails, and anything skipped leaves it untested (IEC 62304 5.7.4)."""
    outcomes = {result.outcome for result in results}
    if "failed" in outcomes:
        return "failed"
    return "passed" if outcomes == {"passed"} else "untested"
