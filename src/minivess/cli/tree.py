"""Options and look-ups that the commands about a source tree share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minivess.foundation.paths import PROJECT_FILE

if TYPE_CHECKING:
    from datetime import datetime

    from minivess.compliance.standards.catalogue import SafetyClass
    from minivess.workflows.matrix import Trace

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
    if source is not None:
        return source
    if (project / PROJECT_FILE).is_file():
        from minivess.foundation.strict_yaml import read_record
        from minivess.records.project import Project

        return (project / read_record(project / PROJECT_FILE, Project).source).resolve()
    return project


def safety_class_of(project: Path) -> SafetyClass:
    """Of the project's device; without a project that of this software itself."""
    if (project / PROJECT_FILE).is_file():
        from minivess.foundation.strict_yaml import read_record
        from minivess.records.project import Project

        return read_record(project / PROJECT_FILE, Project).device.safety_class
    return "B"


def traced(project: Path, source: Path | None, results: Path | None, *, now: datetime) -> tuple[Path, Trace]:
    """A tree and everything that is known about it; of the project's own tree also what its workspace and log say.

    Where no results are named, those that the project recorded of its own tree count.
    """
    from minivess.workflows.matrix import read_trace

    tree = source_of(project, source)
    known: dict[str, Any] = {"safety_class": safety_class_of(project), "now": now}
    if not (project / PROJECT_FILE).is_file() or tree.resolve() != source_of(project, None).resolve():
        return tree, read_trace(tree, results=results, **known)
    from minivess.workflows.services import load_project
    from minivess.workflows.told import reading

    with reading(project, load_project(project)) as told:
        if told is not None and results is None and told.workspace.results.is_file():
            results = told.workspace.results
        return tree, read_trace(tree, results=results, told=told, **known)
