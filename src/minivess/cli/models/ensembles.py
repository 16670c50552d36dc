"""`minivess ensemble`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=Command)
@actor_option
@json_option
@click.pass_obj
def ensemble(project: Path, actor: str | None, as_json: bool) -> None:
    """Combine the trained members by their mean probability."""
    from minivess.workflows.models import ensembles

    with services_of(project) as services:
        made = ensembles.combine(services, signer_of(services, actor, Role.DEVELOPER))
    emit(str(made), {"ensemble": str(made)}, as_json=as_json)
