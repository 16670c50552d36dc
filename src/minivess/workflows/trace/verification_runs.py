"""Run the tests of the source tree and record what came out."""

from __future__ import annotations

import subprocess

from minivess.compliance.identity.signer import Signer
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.device.workspace_files import COVERAGE, file_of
from minivess.records.items.trace import ResultReport
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json
from minivess.workflows.trace.measured_coverage import take_coverage
from minivess.workflows.trace.pytest_runs import TIME_LIMIT_ALL_S, TIME_LIMIT_S, results_of, start_scenarios


@implements("REQ-033")
def run_scenarios(
    services: Services,
    signer: Signer,
    *,
    running: subprocess.Popen[bytes] | None = None,
    everything: bool = False,
    coverage: bool = False,
) -> ResultReport:
    """Run the scenarios (or wait for those already running) and record their results.

    With `everything`, all tests of the tree, those of units and of integration too. With `coverage`, the entry also names the
    coverage that pytest-cov measured in this run.

    Raises:
        CouldNotCheckError: pytest could not run; failed scenarios are results, not errors.
    """
    workspace = Workspace(services.workspace)
    with recorded(services, "scenarios", signer) as record:
        process = running or start_scenarios(
            services.source, workspace.results, tester=signer.identity.id, everything=everything, coverage=coverage
        )
        report = results_of(process, workspace.results, limit=TIME_LIMIT_ALL_S if everything else TIME_LIMIT_S)
        outcomes = [result.outcome for result in report.results]
        record.output("verification/results.json", workspace.results)
        if coverage:
            found = take_coverage(workspace.results.parent, services.source, report, everything=everything)
            write_json(workspace, COVERAGE, found)
            record.output(COVERAGE, workspace.root / file_of(COVERAGE).place)
        record.payload(
            passed=outcomes.count("passed"),
            failed=outcomes.count("failed"),
            skipped=outcomes.count("skipped"),
            tree=report.tree,
        )
    return report
