"""Recorded test results, read back (IEC 62304 5.7.5, 9.8). They are written by `pytest_plugin`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.provenance import SourceVersion
from minivess.records.items.trace import RecordedResult, ResultReport

_LIMIT = 64 << 20

Verdict = Literal["passed", "failed", "untested", "stale"]


def read_report(path: Path) -> ResultReport:
    """Read a results file.

    Raises:
        InputError: it is missing, too large, or no results file of this version.
    """
    try:
        return ResultReport.model_validate_json(read_limited(path, limit=_LIMIT))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise InputError(
            f"is no results file: {where + ': ' if where else ''}{first['msg']}",
            path=path.name,
            hint="record results again with `pytest --evidence-results`",
        ) from None


def is_of(report: ResultReport, version: SourceVersion) -> bool:
    """Whether results were recorded on this tree and environment; others count for nothing."""
    return report.tree == version.tree and report.environment == version.environment


def judge(results: Iterable[RecordedResult]) -> Verdict:
    """One verdict for several results: one failure fails, and anything skipped leaves it untested (IEC 62304 5.7.4)."""
    outcomes = {result.outcome for result in results}
    if "failed" in outcomes:
        return "failed"
    return "passed" if outcomes == {"passed"} else "untested"
