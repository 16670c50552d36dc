"""`minivess identity`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table
from minivess.cli.session import actor_option, passphrase_for, services_of, signer_of
from minivess.foundation.paths import Workspace
from minivess.records.identity import IdentityKind, Role


@click.group()
def identity() -> None:
    """People, services and their keys."""


@identity.command()
@click.argument("identifier", metavar="ID")
@click.option("--name", required=True, help="The printed name, as it will stand beside every signature.")
@click.option(
    "--role",
    "roles",
    required=True,
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Repeatable.",
)
@click.pass_obj
def create(project: Path, identifier: str, name: str, roles: tuple[str, ...]) -> None:
    """Make keys for ID, wrapped with a passphrase."""
    from minivess.compliance.identity.keystore import Keystore

    held = tuple(Role(role) for role in roles)
    kind = IdentityKind.SERVICE if held == (Role.SERVICE,) else IdentityKind.PERSON
    made = Keystore(Workspace.find(project).keystore).create(identifier, name, kind, held, passphrase_for(identifier))
    emit_json(made)


@identity.command()
@click.argument("identifier", metavar="ID")
@actor_option
@click.pass_obj
def enrol(project: Path, identifier: str, actor: str | None) -> None:
    """Let ID act in the log from now on (signed by a root or a release manager)."""
    from minivess.workflows.people import enrol as enrol_identity

    with services_of(project) as services:
        signer = signer_of(project, actor, Role.RELEASE_MANAGER)
        click.echo(f"entry {enrol_identity(services, signer, identifier).index}")


@identity.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def list_identities(project: Path, as_json: bool) -> None:
    """Who has keys here."""
    from minivess.compliance.identity.keystore import Keystore

    known = Keystore(Workspace.find(project).keystore).identities()
    if as_json:
        emit_json(known)
        return
    rows = [(one.id, one.name, one.kind.value, ", ".join(one.roles), "DEMO" if one.demo else "") for one in known]
    emit_table(("id", "name", "kind", "roles", ""), rows)
