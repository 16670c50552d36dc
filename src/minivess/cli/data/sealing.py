"""`minivess data seal`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=LongCommand)
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
