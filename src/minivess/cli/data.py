"""`minivess data`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.identity import Role


@click.group()
def data() -> None:
    """Ingest, validate, split and seal cases."""


@data.command()
@actor_option
@click.pass_obj
def ingest(project: Path, actor: str | None) -> None:
    """Read and normalise every case of the project (finished cases are kept)."""
    from minivess.workflows import data as workflow

    with services_of(project) as services:
        manifest = workflow.ingest(services, signer_of(services, actor, Role.DEVELOPER))
    rows = [
        (case.id, case.subject, "×".join(map(str, case.shape)), case.spacing_um, f"{case.foreground_fraction:.3f}")
        for case in manifest.cases
    ]
    emit_table(("case", "subject", "shape", "spacing µm", "foreground"), rows)


@data.command()
@actor_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def validate(project: Path, actor: str | None, as_json: bool) -> None:
    """Run the rules over the cases; a blocking finding ends with exit 1."""
    from minivess.workflows import data as workflow

    with services_of(project) as services:
        report = workflow.validate(services, signer_of(services, actor, Role.DEVELOPER))
    if as_json:
        emit_json(report)
    else:
        rows = [(f.severity.value, f.rule, f.case or "", f.message) for f in report.findings]
        emit_table(("severity", "rule", "case", "finding"), rows)
        say(f"{len(report.rules)} rules, {len(report.findings)} findings")
    if report.blocked:
        raise click.exceptions.Exit(1)


@data.command()
@actor_option
@click.pass_obj
def split(project: Path, actor: str | None) -> None:
    """Assign subjects to training, calibration and test."""
    from minivess.workflows import data as workflow

    with services_of(project) as services:
        made = workflow.split(services, signer_of(services, actor, Role.DEVELOPER))
    emit_json(made)


@data.command()
@actor_option
@click.pass_obj
def seal(project: Path, actor: str | None) -> None:
    """Encrypt the test part, remove its plain files, and version the data with DVC."""
    from minivess.workflows import data as workflow

    with services_of(project) as services:
        manifest = workflow.seal(services, signer_of(services, actor, Role.DEVELOPER))
    click.echo(f"{len(manifest.files)} files sealed for {', '.join(manifest.wrapped_keys)}")
