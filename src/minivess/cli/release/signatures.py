"""`minivess release sign|cosign`: what people add to a pack."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_record, json_option
from minivess.foundation.errors import UsageError


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="Who signs.")
@json_option
@click.pass_obj
def sign(project: Path, pack: Path, actor: str, as_json: bool) -> None:
    """Sign PACK after you read its start page.

    Your signature binds the digest of that page.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    with services_of(project) as services:
        manifestation = signing.sign(services, signer_of(services, actor), pack)
    emit_record(manifestation, as_json=as_json)


@click.command(cls=Command)
@click.argument("pack", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "actor", required=True, envvar="MINIVESS_ACTOR", help="A holder of the test set's key.")
@json_option
@click.pass_obj
def cosign(project: Path, pack: Path, actor: str, as_json: bool) -> None:
    """Cosign the checkpoint of PACK, as a holder of the test set's key.

    For a holder who does not sign the release.
    """
    from minivess.cli.session import services_of, signer_of
    from minivess.workflows.release import signing

    with services_of(project) as services:
        if not signing.cosign_pack(services, signer_of(services, actor), pack):
            raise UsageError(f"{actor} does not hold the key of the test set that this release was evaluated on")
    emit(f"cosigned by {actor}", {"cosigned_by": actor}, as_json=as_json)
