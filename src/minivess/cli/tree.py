"""Options and look-ups that the commands about a source tree share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.foundation.paths import PROJECT_FILE

if TYPE_CHECKING:
    from minivess.compliance.standards.catalogue import SafetyClass

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
