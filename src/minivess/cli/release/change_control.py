"""`minivess release pccp-check`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.foundation.implements import implements


@click.command(cls=Command, name="pccp-check")
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.option("--trust", type=click.Path(path_type=Path, dir_okay=False), help="Keys to verify both packs with.")
@json_option
@implements("REQ-580")
def pccp_check(old: Path, new: Path, trust: Path | None, as_json: bool) -> None:
    """Judge the pack NEW by the change plan in the pack OLD.

    Each bound is shown with its evidence, and the worst decides: inside (exit code 0), outside (correct it and try again) or
    outside with a new submission (exit code 1). The plan is the one of OLD: a plan that was changed since needs a new
    submission.
    """
    from minivess.workflows.release.changes.change_control import check_change

    found = check_change(old, new, trust=trust)
    if as_json:
        emit_json(found)
    else:
        emit_table(
            ("verdict", "bound", "limit", "found"),
            [(one.verdict, one.bound, one.limit, one.found) for one in found.bounds],
        )
        click.echo(f"plan: {found.plan or 'none'}, in the pack of {found.old.device} {found.old.version}")
        click.echo(f"{found.new.device} {found.new.version}: {found.verdict}")
    if found.verdict != "inside":
        count = sum(one.verdict != "inside" for one in found.bounds)
        say(f"{count} of {len(found.bounds)} bounds are not kept")
        raise click.exceptions.Exit(1)
