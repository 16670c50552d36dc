"""`minivess data`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.data.card import card
from minivess.cli.data.splits import leakage, split
from minivess.cli.data.synthesis import synthesise
from minivess.cli.data.validation import profile, validate
from minivess.cli.data.versions import add, pipeline, pull, push
from minivess.cli.groups import Group
from minivess.cli.rendering import emit, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.groups import own_subjects
from minivess.records.people.roles import Role


@click.group(
    cls=Group,
    sections={
        "Prepare": ("add", "ingest", "validate", "profile", "card"),
        "Split and seal": ("split", "leakage", "seal"),
        "Version": ("push", "pull", "pipeline"),
        "Make": ("synthesise",),
    },
)
def data() -> None:
    """Ingest, validate, split and seal cases."""


@data.command()
@actor_option
@json_option
@click.pass_obj
def ingest(project: Path, actor: str | None, as_json: bool) -> None:
    """Read and normalise every case; finished cases are kept."""
    from minivess.workflows.data import ingestion as workflow

    with services_of(project) as services:
        manifest = workflow.ingest(services, signer_of(services, actor, Role.DEVELOPER))
    if (note := own_subjects(manifest)) is not None:
        say(f"warning: {note}. If cases share a subject, state it (data.subject_from, pairs.name or the table)")
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


@data.command()
@actor_option
@json_option
@click.pass_obj
def seal(project: Path, actor: str | None, as_json: bool) -> None:
    """Encrypt the test part and remove its plain files.

    The data are versioned with DVC.
    """
    from minivess.workflows.data import sealing as workflow

    with services_of(project) as services:
        manifest = workflow.seal(services, signer_of(services, actor, Role.DEVELOPER))
    text = f"{len(manifest.files)} files sealed for {', '.join(manifest.wrapped_keys)}"
    emit(text, {"files": len(manifest.files), "sealed_for": list(manifest.wrapped_keys)}, as_json=as_json)


def _notes_of(manifest: DatasetManifest) -> dict[str, list[str]]:
    """What reading changed or could not decide, and the cases it concerns."""
    found: dict[str, list[str]] = {}
    for case in manifest.cases:
        for note in (*case.notes, *(f"accepted although it may identify a person: {at}" for at in case.identifiers)):
            found.setdefault(note, []).append(case.id)
    return found


data.add_command(card)
data.add_command(synthesise)
data.add_command(validate)
data.add_command(profile)
data.add_command(add)
data.add_command(push)
data.add_command(pull)
data.add_command(pipeline)
data.add_command(split)
data.add_command(leakage)
