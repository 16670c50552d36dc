"""Tests of a source tree, run by pytest in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from minivess.compliance.results.result_files import read_report
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.processes.processors import usable_processors
from minivess.records.items.trace import ResultReport
from minivess.workflows.trace.measured_coverage import coverage_options

TIME_LIMIT_S = 900
TIME_LIMIT_ALL_S = 7200
FILES_A_PROCESS = 4
"""Files of tests that make another process worth its start."""
PASSED, FAILED = 0, 1
"""pytest's exit codes for all passed and some failed; any other means that it could not run."""

_LEFT_OUT = ("MINIVESS_", "PYTEST_", "PYTHONDONTWRITEBYTECODE")
"""Variables that would change the tests, or make each of their processes compile every library again."""
_LINE = 200
_NEEDED = {"pytest": "pytest", "pytest-bdd": "pytest_bdd"}
"""Packages of the extra `pytest` without which no scenario runs, with their modules."""


def start_scenarios(
    source: Path,
    results: Path,
    *,
    tester: str,
    only: Collection[str] = (),
    everything: bool = False,
    slow: bool = True,
    coverage: bool = False,
) -> subprocess.Popen[bytes]:
    """Start pytest on the tree's scenarios; their results will be in `results`. Changes no tracked file.

    With `only`, those that carry one of these ids; with `everything`, all other tests too; without `slow`, those that are not
    marked slow. With `coverage`, pytest-cov measures which lines they run.
    Where pytest-xdist is installed they run in as many processes as there are processors and work for.

    Raises:
        UsageError: the tree has no scenarios.
        CouldNotCheckError: pytest or pytest-bdd is not installed.
    """
    if not (source / "tests" / "features").is_dir():
        raise UsageError(f"no tests/features in {source}", hint="`source` in the project file names the source tree")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    tests = "tests" if everything else "tests/features"
    options = ["--evidence-results", str(results), "--evidence-tester", tester]
    options += [f"--verifies={','.join(only)}"] if only else []
    options += ["-m", "" if slow else "not slow"]
    files = len(list((source / tests).rglob("test_*.py")))
    processes = min(usable_processors(), files // FILES_A_PROCESS)
    if processes > 1 and find_spec("xdist") is not None:
        options += ["-n", str(processes), "--dist", "loadfile"]
    measured, variables = coverage_options(source, results.parent) if coverage else ([], {})
    return _start(source, tests, *options, *measured, variables=variables)


def results_of(process: subprocess.Popen[bytes], results: Path, *, limit: float = TIME_LIMIT_S) -> ResultReport:
    """Wait for started tests, and read their results.

    Raises:
        CouldNotCheckError: pytest could not run, or took too long; failed tests are results, not errors.
    """
    status, said = _ended(process, limit)
    if status not in (PASSED, FAILED) or not results.is_file():
        raise CouldNotCheckError(
            f"the scenarios could not be run: {said}", hint="`uv run pytest tests/features` shows why"
        )
    return read_report(results)


def run_without(source: Path, switch: str, nodes: Collection[str]) -> tuple[int, str]:
    """Exit status of tests while a function gives something else (see `--without`), and the last line pytest said.

    Raises:
        CouldNotCheckError: they took too long, or pytest or pytest-bdd is not installed.
    """
    alone = ["-n", "0"] if find_spec("xdist") is not None else []
    return _ended(_start(source, *nodes, f"--without={switch}", "-m", "", *alone), TIME_LIMIT_S)


@implements("REQ-213")
def _check_installed() -> None:
    missing = [package for package, module in _NEEDED.items() if find_spec(module) is None]
    if missing:
        what = f"{missing[0]} is" if len(missing) == 1 else f"{' and '.join(missing)} are"
        raise CouldNotCheckError(f"{what} not installed", hint="pip install 'minivess[pytest]'")


def _start(
    source: Path, *arguments: str, variables: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[bytes]:
    _check_installed()
    command = [sys.executable, "-m", "pytest", *arguments, "-q", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)} | dict(
        variables
    )
    return subprocess.Popen(command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def _ended(process: subprocess.Popen[bytes], limit: float) -> tuple[int, str]:
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        raise CouldNotCheckError(f"the tests took more than {limit:g} s") from None
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return process.returncode, lines[-1].strip("= ")[:_LINE] if lines else "pytest printed nothing"
