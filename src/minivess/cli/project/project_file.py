"""`minivess init`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Start a project in FOLDER: a project file to fill in, and the gates of its releases."""
    from minivess.workflows.project.project_file import start_project

    for path in start_project(folder):
        click.echo(path)
    say("Fill in minivess.yaml, then: minivess identity create … and minivess audit start")
