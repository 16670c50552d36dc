"""Which source tree a command is about, and everything that is known about it, read once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE

if TYPE_CHECKING:
    from datetime import datetime

    from minivess.compliance.trace.tree import Tree
    from minivess.records.device.project import Project
    from minivess.records.items.trace_data import TraceData
    from minivess.workflows.session.project_state import ProjectState
    from minivess.workflows.trace.project_trace import Trace


def source_of(project: Path, source: Path | None) -> Path:
    """The tree that was named, else that of the project, else this folder."""
    if source is not None:
        return source
    plan = _plan(project)
    return project if plan is None else (project / plan.source).resolve()


def traced(project: Path, source: Path | None, results: Path | None, *, now: datetime) -> Trace:
    """Everything that is known about a tree; of the project's own tree also what its workspace and log state.

    Where no results are named, those that the project recorded of its own tree count. The safety class is that of the
    project's device; without a project that of this software itself.

    Args:
        project: the folder of the project.
        source: a tree other than the project's own.
        results: recorded results other than the project's own.
        now: the time at which justifications must still be valid.
    """
    from minivess.workflows.trace.project_trace import read_trace

    plan = _plan(project)
    with _own(project, plan, source) as state:
        return read_trace(
            source_of(project, source),
            results=_results(results, state),
            project=state,
            safety_class="B" if plan is None else plan.device.safety_class,
            now=now,
        )


def read_tree(project: Path, source: Path | None, results: Path | None, *, now: datetime, **more: Any) -> Tree:
    """A source tree as `traced` reads it, without the clauses of standards. `more` is handed to `Tree.read`."""
    from minivess.compliance.trace.tree import Tree

    with _own(project, _plan(project), source) as state:
        return Tree.read(
            source_of(project, source),
            today=now.date(),
            results=_results(results, state),
            artifacts=None if state is None else state.artifacts,
            **more,
        )


def items_with_log(project: Path, *, now: datetime) -> TraceData:
    """The own source tree of a project with what its log states of the items, without the clauses of standards.

    Args:
        project: the folder of the project.
        now: the time at which justifications must still be valid.

    Raises:
        InputError: the project file or a file of the tree is missing or malformed.
        VerificationError: the log breaks a rule.
    """
    from minivess.compliance.documents.log_story import story_of  # cryptography
    from minivess.compliance.trace.trace_data import view
    from minivess.compliance.trace.tree import Tree

    plan = _plan(project)
    with _own(project, plan, None) as state:
        artifacts = None if state is None else state.artifacts
        tree = Tree.read(source_of(project, None), today=now.date(), results=_results(None, state), artifacts=artifacts)
        return view(tree, log=None if state is None else story_of(tree, state.facts))


@implements("REQ-068")
def revision_of(project: Path, name: str) -> str:
    """The commit of a baseline in the log of a project; any other name, and one without a log, is a name for git.

    Raises:
        VerificationError, CouldNotCheckError: the log cannot be read.
    """
    plan = _plan(project)
    if plan is None:
        return name
    from minivess.workflows.session.project_state import project_state

    with project_state(project, plan) as state:
        if state is None:
            return name
        from minivess.workflows.trace.link_reviews import baselines

        known = baselines(state).get(name)
    return known.commit if known is not None and known.commit else name


@contextmanager
def _own(project: Path, plan: Project | None, source: Path | None) -> Iterator[ProjectState | None]:
    """What the project knows beside its source tree; None without a project or a log, and for another tree."""
    if plan is None or (source is not None and source.resolve() != (project / plan.source).resolve()):
        yield None
        return
    from minivess.workflows.session.project_state import project_state

    with project_state(project, plan) as state:
        yield state


def _results(named: Path | None, state: ProjectState | None) -> Path | None:
    """The results that were named, else those that the project recorded."""
    if named is not None or state is None or not state.workspace.results.is_file():
        return named
    return state.workspace.results


def _plan(project: Path) -> Project | None:
    """The project file, where there is one."""
    if not (project / PROJECT_FILE).is_file():
        return None
    from minivess.workflows.session.project_file import load_project

    return load_project(project)
