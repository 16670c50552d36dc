"""`minivess train`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=Command)
@actor_option
@json_option
@click.pass_obj
def train(project: Path, actor: str | None, as_json: bool) -> None:
    """Train every member that the project names.

    Finished members are kept.
    """
    from minivess.workflows.models import training

    with services_of(project) as services:
        trained = training.train(services, signer_of(services, actor, Role.DEVELOPER))
    if as_json:
        emit_json(trained)
        return
    rows = [
        (member.seed, member.steps, f"{member.final_loss:.4f}", member.device, f"{member.seconds:.0f}", member.weights)
        for member in trained
    ]
    emit_table(("member", "steps", "final loss", "device", "seconds", "weights"), rows)
