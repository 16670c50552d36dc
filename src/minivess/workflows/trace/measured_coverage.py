"""Coverage of the tests, measured by pytest-cov while they run, as a record of the source tree that they ran on."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from minivess.compliance.proofs.canonical import parse_json
from minivess.foundation.errors import CouldNotCheckError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.items.coverage import CoverageReport, FileCoverage
from minivess.records.items.trace import ResultReport

_LIMIT = 256 << 20
RAW, DATA = "coverage-raw.json", ".coverage"
"""Files of pytest-cov in the folder of the results, which are removed."""


@implements("REQ-631")
def coverage_options(source: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Options of pytest that measure coverage, and variables of its environment.

    Args:
        source: the source tree; its folder `src` is measured where it has one, else all of it.
        folder: where the measurements are put.

    Raises:
        CouldNotCheckError: pytest-cov is not installed.
    """
    if find_spec("pytest_cov") is None:
        raise CouldNotCheckError("pytest-cov is not installed", hint="pip install pytest-cov")
    measured = "src" if (source / "src").is_dir() else "."
    options = [f"--cov={measured}", "--cov-branch", "--cov-report=", f"--cov-report=json:{folder / RAW}"]
    return options, {"COVERAGE_FILE": str(folder / DATA)}


@implements("REQ-631")
def take_coverage(folder: Path, source: Path, report: ResultReport, *, everything: bool) -> CoverageReport:
    """Read what pytest-cov measured, and remove its files.

    Args:
        folder: of the results.
        source: the source tree.
        report: the results of the same run.
        everything: whether all tests were run.

    Raises:
        CouldNotCheckError: there is no measurement, or it is malformed.
    """
    raw = folder / RAW
    try:
        made = _report(parse_json(read_limited(raw, limit=_LIMIT), limit=_LIMIT), source, report, everything=everything)
    except (KeyError, TypeError, AttributeError, OSError) as error:
        raise CouldNotCheckError(f"pytest-cov left no coverage that can be read: {type(error).__name__}") from None
    raw.unlink(missing_ok=True)
    (folder / DATA).unlink(missing_ok=True)
    return made


def _report(found: Any, source: Path, report: ResultReport, *, everything: bool) -> CoverageReport:
    files = {_relative(name, source): one for name, one in found["files"].items()}
    return CoverageReport(
        tool=f"coverage {found['meta']['version']}",
        commit=report.commit,
        tree=report.tree,
        scope="all tests" if everything else "scenarios",
        files=tuple(_file(name, files[name]) for name in sorted(files)),
    )


def _relative(name: str, source: Path) -> str:
    path = Path(name)
    inside = path.is_absolute() and path.is_relative_to(source.resolve())
    return (path.relative_to(source.resolve()) if inside else path).as_posix()


def _file(name: str, one: Any) -> FileCoverage:
    summary = one["summary"]
    return FileCoverage(
        path=name,
        statements=summary["num_statements"],
        covered=summary["covered_lines"],
        branches=summary.get("num_branches", 0),
        covered_branches=summary.get("covered_branches", 0),
        missing=tuple(one["missing_lines"]),
    )
