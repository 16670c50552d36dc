"""`minivess release waive`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_entry, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.implements import implements
from minivess.records.people.roles import Role


@click.command(cls=Command)
@click.argument("gate")
@click.option("--reason", required=True, help="Why the release may be built although the gate fails.")
@click.option("--owner", required=True, help="Who answers for closing it: the id of a person.")
@click.option("--risk", required=True, help="The risk that it is linked with, for example RISK-12.")
@click.option("--until", required=True, type=click.DateTime(formats=["%Y-%m-%d"]), help="The last day, in UTC.")
@actor_option
@json_option
@click.pass_obj
@implements("REQ-552")
def waive(
    project: Path,
    *,
    gate: str,
    reason: str,
    owner: str,
    risk: str,
    until: datetime,
    actor: str | None,
    as_json: bool,
) -> None:
    """Let GATE fail for this release, until a day and with a reason.

    An independent reviewer or a release manager signs this, without a part in a model of the log. The gate is shown as
    waived in `release check`, on the start page, in the text that people sign, and by both verifiers. The gates on
    registered criteria, counts, looks, runs, lineage, risks and the source are never waived.
    """
    from minivess.workflows.release import waiving as workflow

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = workflow.waive(services, signer, gate, reason=reason, owner=owner, risk=risk, until=until.date())
    emit_entry(receipt.index, as_json=as_json)
