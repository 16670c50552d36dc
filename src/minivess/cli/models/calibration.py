"""`minivess calibrate`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_record, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=Command)
@actor_option
@json_option
@click.pass_obj
def calibrate(project: Path, actor: str | None, as_json: bool) -> None:
    """Fit temperature and conformal threshold.

    They are fitted on the calibration part.
    """
    from minivess.workflows.models import calibration

    with services_of(project) as services:
        emit_record(calibration.calibrate(services, signer_of(services, actor, Role.DEVELOPER)), as_json=as_json)
