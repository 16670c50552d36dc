"""`minivess init`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, json_option, say


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Start a project folder with a project file to fill in.

    FOLDER also gets the gates of its releases.
    """
    from minivess.workflows.project.project_file import start_project

    made = [str(path) for path in start_project(folder)]
    emit("\n".join(made), {"files": made}, as_json=as_json)
    say("Fill in minivess.yaml, then: minivess identity create … and minivess audit start")
