"""Options and look-ups that the commands about a source tree share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.foundation.paths import PROJECT_FILE

if TYPE_CHECKING:
    from datetime import datetime

    from minivess.records.device.project import Project
    from minivess.workflows.trace.project_trace import Trace

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=None,
    help="Tree with requirements/, risk/, features/ and src/. Default: the project's `source`, or this folder.",
)


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of `trace run`: with them, untested means not passed.",
)


def source_of(project: Path, source: Path | None) -> Path:
    """The tree that was named, else that of the project, else this folder."""
    if source is not None:
        return source
    plan = _plan(project)
    return project if plan is None else (project / plan.source).resolve()


def traced(project: Path, source: Path | None, results: Path | None, *, now: datetime) -> tuple[Path, Trace]:
    """A tree and everything that is known about it; of the project's own tree also what its workspace and log state.

    Where no results are named, those that the project recorded of its own tree count. The safety class is that of the
    project's device; without a project that of this software itself.
    """
    from minivess.workflows.trace.project_trace import read_trace

    plan = _plan(project)
    if plan is None:
        tree = source or project
        return tree, read_trace(tree, results=results, safety_class="B", now=now)
    own = (project / plan.source).resolve()
    tree, safety_class = source or own, plan.device.safety_class
    if tree.resolve() != own:
        return tree, read_trace(tree, results=results, safety_class=safety_class, now=now)
    from minivess.workflows.session.project_state import project_state

    with project_state(project, plan) as state:
        if state is not None and results is None and state.workspace.results.is_file():
            results = state.workspace.results
        return tree, read_trace(tree, results=results, told=state, safety_class=safety_class, now=now)


def _plan(project: Path) -> Project | None:
    """The project file, where there is one."""
    if not (project / PROJECT_FILE).is_file():
        return None
    from minivess.foundation.strict_yaml import read_record
    from minivess.records.device.project import Project

    return read_record(project / PROJECT_FILE, Project)
