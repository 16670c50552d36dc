"""`minivess train`, `ensemble`, `calibrate` and `model export`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command()
@actor_option
@click.pass_obj
def train(project: Path, actor: str | None) -> None:
    """Train every member the project names; finished members are kept."""
    from minivess.workflows.models import training

    with services_of(project) as services:
        emit_json(training.train(services, signer_of(services, actor, Role.DEVELOPER)))


@click.command()
@actor_option
@click.pass_obj
def ensemble(project: Path, actor: str | None) -> None:
    """Combine the trained members by the mean of their probabilities."""
    from minivess.workflows.models import ensembles

    with services_of(project) as services:
        click.echo(ensembles.combine(services, signer_of(services, actor, Role.DEVELOPER)))


@click.command()
@actor_option
@click.pass_obj
def calibrate(project: Path, actor: str | None) -> None:
    """Fit temperature and conformal threshold on the calibration part."""
    from minivess.workflows.models import calibration

    with services_of(project) as services:
        emit_json(calibration.calibrate(services, signer_of(services, actor, Role.DEVELOPER)))


@click.group()
def model() -> None:
    """Export the calibrated ensemble; account for runs it does not use."""


@model.command()
@click.argument("entry", type=click.IntRange(0))
@click.option("--verdict", required=True, help="What became of the run: discarded, repeated, …")
@click.option("--reason", required=True, help="Why, in one line. It is signed and shown in the release.")
@actor_option
@click.pass_obj
def dispose(project: Path, actor: str | None, entry: int, verdict: str, reason: str) -> None:
    """Account for the training run of log ENTRY that no ensemble uses."""
    from minivess.workflows.models import dispositions

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.DEVELOPER)
        click.echo(f"entry {dispositions.dispose(services, signer, entry, verdict=verdict, reason=reason).index}")


@model.command()
@actor_option
@click.pass_obj
def export(project: Path, actor: str | None) -> None:
    """Write one ONNX graph of the calibrated ensemble and prove its parity with PyTorch."""
    from minivess.workflows.models import export

    with services_of(project) as services:
        emit_json(export.export(services, signer_of(services, actor, Role.DEVELOPER)))


@model.command()
@click.argument("digest")
@click.option(
    "--stage", required=True, type=click.Choice(["candidate", "production", "retired"]), help="Where it moves."
)
@click.option("--reason", required=True, help="Why, in one line. It is signed and stays in the log.")
@actor_option
@click.pass_obj
def promote(project: Path, actor: str | None, digest: str, stage: str, reason: str) -> None:
    """Move the exported model DIGEST to another stage; one model at most is in production."""
    from minivess.workflows.models import promotion

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {promotion.promote(services, signer, digest, stage=stage, reason=reason).index}")
