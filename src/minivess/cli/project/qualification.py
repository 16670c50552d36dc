"""`minivess qualify`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import Progress, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE, Workspace
from minivess.records.people.roles import Role


@click.command(cls=LongCommand)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Outside of a project: the folder for the report. Default: qualification.",
)
@actor_option
@json_option
@click.pass_obj
@implements("REQ-590", "REQ-591")
def qualify(project: Path, out: Path | None, actor: str | None, as_json: bool) -> None:
    """Check this software on this machine; write a report.

    Phantoms with known truth, known answers of standards and other software, and tampering with a log and a pack. In a
    project the report is written to evidence/qualification and recorded with a signature; the next pack contains it.
    Elsewhere, or with --out, it is written without a signature. Exit code 1 when a check fails. Performance qualification
    in your process stays with you.
    """
    from minivess.workflows.qualification import qualify as workflow

    recorded = out is None and (project / PROJECT_FILE).is_file()
    if recorded:
        with services_of(project) as services:
            report = workflow.qualify(services, signer_of(services, actor, Role.DEVELOPER))
        folder = Workspace.find(project).qualification
    else:
        folder = out or Path("qualification")
        report = workflow.qualify_alone(folder, Progress())
    if as_json:
        emit_json(report)
    else:
        rows = [("ok" if one.passed else "FAIL", one.name, one.kind, one.detail) for one in report.checks]
        emit_table(("", "check", "kind", "found"), rows)
    say(f"the report is {folder / workflow.PAGE}{'' if recorded else ', without a signature: no project recorded it'}")
    if not report.passed:
        say(f"{len(report.failed)} checks failed: do not rely on this installation")
        raise click.exceptions.Exit(1)
