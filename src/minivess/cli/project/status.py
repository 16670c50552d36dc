"""`minivess status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.device.status import ProjectStatus

_NAMED = 2
"""Files of a step that are named in the table."""


@click.command(cls=Command)
@json_option
@click.pass_obj
@implements("REQ-198")
def status(project: Path, as_json: bool) -> None:
    """Show which steps are done and the command of the next one.

    Each step is shown with its state, its log entry, the time, the person and the result.
    """
    from minivess.workflows.project.status import status_of

    found = status_of(project)
    if as_json:
        emit_json(found)
        return
    done = sum(step.state == "done" for step in found.steps)
    click.echo(f"{found.device} {found.version}: {done} of {len(found.steps)} steps done")
    emit_table(("step", "state", "entry", "time (UTC)", "by", "result"), _rows(found))
    if found.looks is not None:
        looks = found.looks
        click.echo(
            f"Looks at the test set: {looks.taken} taken, {looks.allowed} allowed; "
            f"requests waiting for approval: {len(looks.waiting)}; approved and not evaluated: {len(looks.granted)}"
        )
    click.echo("Next: nothing, every step is done" if found.next is None else f"Next: {found.next}")


def _rows(found: ProjectStatus) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for step in found.steps:
        made = [one.name for one in step.artifacts]
        more = f" and {len(made) - _NAMED} more" if len(made) > _NAMED else ""
        rows.append(
            (
                step.title,
                step.state,
                "" if step.entry is None else step.entry,
                "" if step.time is None else f"{step.time:%Y-%m-%d %H:%M}",
                step.actor or "",
                step.reason or ", ".join(made[:_NAMED]) + more,
            )
        )
    return rows
