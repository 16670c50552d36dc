"""The trace of a source tree as data, with what the log of its project says about it: what pages and tables are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from minivess.compliance.items.history import history_of
from minivess.compliance.results.evidence_files import read_results
from minivess.compliance.standards.catalogue import SafetyClass
from minivess.compliance.standards.coverage import Coverage
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.trace_data import view
from minivess.foundation.clock import timestamp
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.provenance import project_name, source_state, tree_digest
from minivess.records.items.trace import LogStory
from minivess.workflows.session.project_state import ProjectState, basis_digests
from minivess.workflows.trace.clause_coverage import standards_of, story_of


@dataclass(frozen=True)
class Trace:
    """A source tree, and what its project says about it."""

    graph: TraceGraph
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
    told: ProjectState | None = None,
) -> Trace:
    """Everything that is known about a source tree.

    Args:
        source: the tree.
        safety_class: of the device.
        now: the time for which justifications are judged.
        results: recorded results to join.
        told: what the project of this tree knows beside it.

    Raises:
        InputError: a file is missing or malformed, with file and line.
        VerificationError: the log breaks a rule.
    """
    report = None if results is None else read_results(results, source)
    graph = TraceGraph.load(source, report, things={} if told is None else basis_digests(told))
    if told is None:
        return Trace(graph, standards_of(source, graph, safety_class=safety_class, today=now.date()), None)
    from minivess.workflows.trace.evidence_collectors import told_by_pack, told_by_workspace

    story = story_of(source, graph, told.log, results=None if results is None else digest_file(results))
    rows = standards_of(
        source,
        graph,
        safety_class=safety_class,
        today=now.date(),
        more=told_by_workspace(told) | told_by_pack(told, graph),
        story=story,
    )
    return Trace(graph, rows, story)


@implements("REQ-070")
def pages_of(trace: Trace, source: Path, *, now: datetime) -> dict[str, Any]:
    """A trace as data, in the format `minivess-trace/2`.

    Args:
        trace: it.
        source: the tree it was read from.
        now: the time for which justifications are judged, and that the pages state.
    """
    name, version = project_name(source)
    return view(
        trace.graph,
        today=now.date(),
        project={
            "name": name,
            "version": version,
            "commit": source_state(source)[0],
            "tree": tree_digest(source),
            "time": timestamp(now),
        },
        coverage=[row.to_json() for row in trace.coverage],
        history=history_of(source, trace.graph.items.all()),
        log=trace.story,
    )
