"""`minivess data card`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.records.people.roles import Role


@click.command()
@actor_option
@click.option("--json", "as_json", is_flag=True, help="Write the card as JSON.")
@click.pass_obj
def card(project: Path, actor: str | None, as_json: bool) -> None:
    """Write the data card: data/card.html for people, data/croissant.json (Croissant 1.1, RAI) for machines.

    What machines know is taken from the manifest, validation, split, seal and log; the rest from `data.card` in
    minivess.yaml. A missing statement is shown as "not stated". Of the test part nothing measured is shown.
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
