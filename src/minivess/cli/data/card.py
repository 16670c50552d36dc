"""`minivess data card`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def card(project: Path, actor: str | None, as_json: bool) -> None:
    """Write the data card as a page and as Croissant JSON.

    The page is data/card.html. data/croissant.json is Croissant 1.1 with RAI.

    The measured facts come from the manifest, validation, split, seal and log. The other statements come from
    `data.card` in minivess.yaml. A missing statement is shown as "not stated". No measurement of the test part is shown.
    """
    from minivess.records.device.workspace_files import CARD_PAGE, CROISSANT
    from minivess.workflows.data import card as workflow

    with services_of(project) as services:
        made = workflow.write_card(services, signer_of(services, actor, Role.DEVELOPER))
    if as_json:
        emit_json(made)
        return
    click.echo(CARD_PAGE)
    click.echo(CROISSANT)
    if made.missing:
        say(f"not stated: {', '.join(made.missing)}")
        say("hint: state them in minivess.yaml under data.card")
