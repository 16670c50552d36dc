"""Run the scenarios of the source tree in a process of their own and record what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.compliance.traceability.reports import read_report
from minivess.foundation.errors import CouldNotCheckError, UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.traceability import TestReport
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services

TIME_LIMIT_S = 900
TIME_LIMIT_ALL_S = 7200
FILES_A_PROCESS = 4
"""Files of tests that make another process worth its start."""
ENDED_WITH_RESULTS = (0, 1)
"""pytest's exit codes for all passed and some failed; any other means that it could not run."""


def start_scenarios(
    source: Path, results: Path, *, tester: str, only: Collection[str] = (), everything: bool = False
) -> subprocess.Popen[bytes]:
    """Start pytest on the tree's scenarios; their results will be in `results`. Changes no tracked file.

    With `only`, those that carry one of these ids; with `everything`, all other tests too.
    Where pytest-xdist is installed they run in as many processes as there are processors and work for.

    Raises:
        UsageError: the tree has no scenarios.
    """
    if not (source / "tests" / "features").is_dir():
        raise UsageError(f"no tests/features in {source}", hint="`source` in the project file names the source tree")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    tests = "tests" if everything else "tests/features"
    command = [sys.executable, "-m", "pytest", tests, "-q", "-p", "no:cacheprovider"]
    command += ["--evidence-results", str(results), "--evidence-tester", tester]
    command += [f"--verifies={','.join(only)}"] if only else []
    files = len(list((source / tests).rglob("test_*.py")))
    processes = min(len(os.sched_getaffinity(0)), files // FILES_A_PROCESS)
    if processes > 1 and find_spec("xdist") is not None:
        command += ["-n", str(processes), "--dist", "loadfile"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MINIVESS_", "PYTEST_"))}
    return subprocess.Popen(command, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


@implements("REQ-033")
def run_scenarios(
    services: Services, signer: Signer, *, running: subprocess.Popen[bytes] | None = None, everything: bool = False
) -> TestReport:
    """Run the scenarios (or wait for those already running) and record their results.

    With `everything`, all tests of the tree, those of units and of integration too.

    Raises:
        CouldNotCheckError: pytest could not run; failed scenarios are results, not errors.
    """
    workspace = Workspace(services.workspace)
    with recorded(services, "scenarios", signer) as record:
        process = running or start_scenarios(
            services.source, workspace.results, tester=signer.identity.id, everything=everything
        )
        limit = TIME_LIMIT_ALL_S if everything else TIME_LIMIT_S
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CouldNotCheckError(f"the tests took more than {limit} s") from None
        if process.returncode not in ENDED_WITH_RESULTS or not workspace.results.is_file():
            last = output.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise CouldNotCheckError(
                f"the scenarios could not be run: {' '.join(last)}", hint="`uv run pytest tests/features` shows why"
            )
        report = read_report(workspace.results)
        outcomes = [result.outcome for result in report.results]
        record.output("verification/results.json", workspace.results)
        record.payload(
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            skipped=outcomes.count("skipped"),
            tree=report.tree,
        )
    return report
