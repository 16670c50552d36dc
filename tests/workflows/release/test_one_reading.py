"""A command reads the source tree and the log once each, however many verdicts it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from minivess.cli.main import app
from minivess.compliance.audit.reader import LogReader
from minivess.compliance.items.features import read_features
from minivess.compliance.items.history import history_of
from minivess.compliance.items.items import load_items
from minivess.compliance.results.evidence_files import with_evidence
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.rules.looks import LookHistory
from minivess.compliance.trace.gaps import find_gaps
from minivess.compliance.trace.justified_gaps import judged
from minivess.foundation.provenance import tree_listing
from minivess.workflows.release import build, gates
from minivess.workflows.release.facts import ReleaseFacts
from minivess.workflows.sealed import registration
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.session.services import Services
from minivess.workflows.trace.project_trace import pages_of, read_trace
from tests.support import projects
from tests.support.call_counts import counted
from tests.support.tiny_tree import write_tree

pytestmark = pytest.mark.verifies("REQ-193", "SU-40", "SU-16")

READERS: tuple[Callable[..., Any], ...] = (
    load_items,
    read_features,
    find_gaps,
    judged,
    RiskFile.of,
    with_evidence,
    LogReader.pairs,
    LookHistory.fold,
)


@pytest.fixture
def project(releasable_project: projects.ProjectFolder, tmp_path: Path) -> projects.ProjectFolder:
    return releasable_project.copy_to(tmp_path / "project")


@pytest.fixture
def services(project: projects.ProjectFolder) -> Iterator[Services]:
    with project.services() as opened:
        yield opened


def test_a_release_build_reads_everything_once(project: projects.ProjectFolder, services: Services) -> None:
    with counted(*READERS, history_of, tree_listing) as counts:
        build.build(services, project.signers["max"])
    assert counts.pop("LogReader.pairs") == 2  # the second time only the entry that prepares the release
    assert counts.pop("LookHistory.fold") <= 7  # gates, chain and pack are judged from entries, the pack from its own
    once = {one.__qualname__ for one in (*READERS, history_of, tree_listing)} - {"LogReader.pairs", "LookHistory.fold"}
    assert counts == dict.fromkeys(once, 1)


def test_gates_that_were_shown_first_are_judged_on_the_same_reading(
    project: projects.ProjectFolder, services: Services
) -> None:
    with counted(*READERS) as counts:
        facts = ReleaseFacts.read(services)
        shown = gates.judge_gates(services, facts)
        read, size = counts["LogReader.pairs"], facts.log.size
        built = build.build(services, project.signers["max"], facts)
    assert all(gate.passed for gate in shown)
    assert built.path.is_file()
    assert read == 1
    assert counts["LogReader.pairs"] == 3  # later only the entries that announce the build and prepare the release
    assert services.log.size > size
    assert {name: counts[name] for name in ("load_items", "read_features", "find_gaps", "judged", "RiskFile.of")} == {
        "load_items": 1,
        "read_features": 1,
        "find_gaps": 1,
        "judged": 1,
        "RiskFile.of": 1,
    }


def test_a_log_that_is_followed_is_the_log_that_is_read_anew(
    project: projects.ProjectFolder, services: Services
) -> None:
    before = services.log.facts()
    registration.register_policy(services, project.signers["max"])
    followed = services.log.facts(before)
    assert followed == services.log.facts()
    assert followed.entries[-1].body.action == "policy.register"
    assert followed.size == before.size + 1


def test_pages_with_clauses_and_signatures_read_everything_once(services: Services) -> None:
    now = datetime.now(UTC)
    with counted(*READERS, history_of, tree_listing) as counts:
        state = ProjectState.of(services)
        trace = read_trace(services.source, safety_class="B", now=now, results=state.workspace.results, project=state)
        pages_of(trace, now=now)
    assert counts.pop("RiskFile.of", 1) == 1
    assert counts == {
        name: 1 for one in (*READERS, history_of, tree_listing) if (name := one.__qualname__) != "RiskFile.of"
    }


@pytest.mark.parametrize(
    "command", [["trace", "check"], ["trace", "matrix"], ["trace", "standards"], ["risk", "report"]]
)
def test_each_command_reads_the_items_once(tmp_path: Path, command: list[str]) -> None:
    tree = write_tree(tmp_path / "source")
    with counted(load_items, find_gaps, judged) as counts:
        done = CliRunner().invoke(app, [*command, "--source", str(tree)])
    assert done.exit_code == 0, done.output
    assert counts["load_items"] == 1
    assert counts["find_gaps"] <= 1
    assert counts["judged"] <= 1
