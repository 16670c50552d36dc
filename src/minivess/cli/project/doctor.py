"""`minivess doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import Progress, emit_json, json_option, say
from minivess.foundation.paths import Workspace

_MARKS = {"ok": "OK", "warning": "WARNING", "problem": "PROBLEM"}


@click.command(cls=Command)
@json_option
@click.pass_obj
def doctor(project: Path, as_json: bool) -> None:
    """Examine the workspace: keys, log, disk, versions.

    Plain copies of sealed cases are looked for too. Exit code 1 when there is a problem.
    """
    from minivess.workflows.project.doctor import examine

    found = examine(Workspace.find(project), progress=Progress())
    if as_json:
        emit_json(found)
    else:
        for one in found:
            click.echo(f"{_MARKS[one.level]:<8} {one.check}: {one.message}")
            if one.hint:
                click.echo(f"{'':<8} hint: {one.hint}")
    problems = sum(one.level == "problem" for one in found)
    warnings = sum(one.level == "warning" for one in found)
    say(f"{problems} problems, {warnings} warnings")
    if problems:
        raise click.exceptions.Exit(1)
