"""`minivess data check` and `minivess data ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import Progress, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.data.dataset import DatasetManifest
    from minivess.records.data.findings import DataCheck


@click.command(cls=LongCommand)
@json_option
@click.pass_obj
def check(project: Path, as_json: bool) -> None:
    """Read every case and list all faults; exit 1 when one blocks.

    Needs no key and no log. The findings are those of `data ingest`. Cases that were read well are kept in data/staged,
    and `data ingest` does not read them again while their files are the same.
    """
    from minivess.workflows.data import ingestion as workflow

    found = workflow.check(Workspace.find(project).root, progress=Progress())
    _show(found, as_json=as_json)
    if found.blocked:
        raise click.exceptions.Exit(1)


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def ingest(project: Path, actor: str | None, as_json: bool) -> None:
    """Read and normalise every case; finished cases are kept.

    Every fault is listed, by rule. While one blocks, no case is taken; cases that were read well are not read again.
    """
    from minivess.records.data.findings import CasesRefusedError, changes
    from minivess.records.data.groups import own_subjects
    from minivess.workflows.data import ingestion as workflow

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER)
        try:
            manifest = workflow.ingest(services, signer)
        except CasesRefusedError as error:
            if error.report is None:
                raise
            _show(error.report, as_json=as_json)
            click.echo("error: no case was taken, because findings block", err=True)
            raise click.exceptions.Exit(error.exit_code) from None
        changed = workflow.lowered_rules(services, manifest)
    if (note := own_subjects(manifest)) is not None:
        say(f"warning: {note}. If cases share a subject, state it (data.subject_from, pairs.name or the table)")
    for line in changes(changed):
        say(line)
    if as_json:
        emit_json(manifest)
        return
    rows = [
        (
            case.id,
            case.subject,
            case.source_format,
            f"{case.axes} {'×'.join(map(str, case.shape))}",
            f"{' × '.join(f'{step:g}' for step in case.spacing)} {case.unit.replace('u', 'µ')}",
            f"{case.foreground_fraction:.3f}",
        )
        for case in manifest.cases
    ]
    emit_table(("case", "subject", "format", "shape", "spacing", "foreground"), rows)
    for note, where in _notes_of(manifest).items():
        say(f"{where[0]}{f' and {len(where) - 1} more' if len(where) > 1 else ''}: {note}")


def _show(found: DataCheck, *, as_json: bool) -> None:
    """Write the findings to stdout, and how many there are to stderr."""
    from minivess.records.data.findings import changes, lines

    if as_json:
        emit_json(found)
    else:
        for line in lines(found.groups):
            click.echo(line)
    number = len(found.findings)
    say(
        f"{found.cases} case{'' if found.cases == 1 else 's'}, of which {found.read} could be read; "
        f"{number} finding{'' if number == 1 else 's'}"
    )
    for line in changes(found.changed):
        say(line)


def _notes_of(manifest: DatasetManifest) -> dict[str, list[str]]:
    """What reading changed or could not decide, and the cases it concerns."""
    found: dict[str, list[str]] = {}
    for case in manifest.cases:
        doubts = (f"{doubt.message} (rule {doubt.rule})" for doubt in case.doubts)
        accepted = (f"accepted although it may identify a person: {at}" for at in case.identifiers)
        for note in (*case.notes, *doubts, *accepted):
            found.setdefault(note, []).append(case.id)
    return found
