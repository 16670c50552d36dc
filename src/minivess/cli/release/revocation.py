"""`minivess release revoke`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_entry, json_option
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.implements import implements
from minivess.records.people.roles import Role


@click.command(cls=Command)
@click.argument("version")
@click.option("--reason", required=True, help="Why, in one line.")
@click.option("--instructions", required=True, help="What users of the device must do.")
@click.option("--decided-by", required=True, help="The person who decided it.")
@click.option("--pack", help="Digest of the tag manifest, where several packs of the version were built.")
@actor_option
@json_option
@click.pass_obj
@implements("REQ-575")
def revoke(
    project: Path,
    *,
    version: str,
    reason: str,
    instructions: str,
    decided_by: str,
    pack: str | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Revoke the release VERSION: it is not to be used any longer.

    A release manager or an independent reviewer signs this. The reason and the instructions for users stay in the log,
    and in the packs of later releases. Services that follow the log stop using the model. A revocation cannot be taken
    back: release a new version.
    """
    from minivess.workflows.release.changes import revocation as workflow

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = workflow.revoke(
            services,
            signer,
            version,
            reason=reason,
            instructions=instructions,
            decided_by=decided_by,
            pack=pack,
        )
    emit_entry(receipt.index, as_json=as_json)
