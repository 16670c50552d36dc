"""Everything that is known about a source tree: its links, its clauses, and what the log of its project says.

What lies in the workspace and what the log says count for the project's own tree alone, never for another that somebody
names: results of a release are no results of another source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from minivess.compliance.standards.catalogue import SafetyClass
from minivess.compliance.standards.coverage import Coverage
from minivess.compliance.trace.trace_data import view
from minivess.compliance.trace.tree import Tree
from minivess.foundation.clock import timestamp
from minivess.foundation.implements import implements
from minivess.records.items.trace import LogStory
from minivess.records.items.trace_data import TraceData, TraceProject
from minivess.workflows.session.project_state import ProjectState
from minivess.workflows.trace.clause_coverage import standards_of


@dataclass(frozen=True)
class Trace:
    """A source tree, and what its project says about it."""

    tree: Tree
    coverage: tuple[Coverage, ...]
    """How the clauses of the standards stand."""
    story: LogStory | None
    """What the log says; None without a project."""


@implements("REQ-072", "REQ-106")
def read_trace(
    source: Path,
    *,
    safety_class: SafetyClass,
    now: datetime,
    results: Path | None = None,
    project: ProjectState | None = None,
) -> Trace:
    """Everything that is known about a source tree.

    Args:
        source: the tree.
        safety_class: of the device.
        now: the time for which justifications are judged.
        results: recorded results to join.
        project: what the project of this tree knows beside it.

    Raises:
        InputError: a file is missing or malformed, with file and line.
        VerificationError: the log breaks a rule.
    """
    artifacts = None if project is None else project.artifacts
    tree = Tree.read(source, today=now.date(), results=results, artifacts=artifacts)
    if project is None:
        return Trace(tree, standards_of(tree, safety_class=safety_class), None)
    from minivess.compliance.documents.log_story import story_of  # cryptography
    from minivess.workflows.trace.workspace_evidence import ProjectEvidence, ReleasePack

    story = story_of(tree, project.facts)
    rows = standards_of(
        tree,
        safety_class=safety_class,
        story=story,
        workspace=ProjectEvidence(project),
        pack=ReleasePack.of(project),
    )
    return Trace(tree, rows, story)


@implements("REQ-070")
def pages_of(trace: Trace, *, now: datetime) -> TraceData:
    """A trace as data, in the format `minivess-trace/2`.

    Args:
        trace: it.
        now: the time that the pages state.
    """
    version = trace.tree.version
    name, release = version.name
    return view(
        trace.tree,
        project=TraceProject(
            name=name, version=release, commit=version.state[0], tree=version.tree, time=timestamp(now)
        ),
        coverage=[row.to_data() for row in trace.coverage],
        log=trace.story,
    )
