"""What most commands need first: the workspace, the services and somebody to act."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import Progress
from minivess.foundation.errors import UsageError
from minivess.foundation.paths import Workspace
from minivess.records.roles import IdentityKind, Role

if TYPE_CHECKING:
    from minivess.compliance.identity.signer import Signer
    from minivess.workflows.services import Services

actor_option = click.option(
    "--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts (an identity's id). Needed when several could."
)


def passphrase_for(identity: str) -> str:
    """The passphrase of an identity: from MINIVESS_PASSPHRASE_<ID> or asked for without echo.

    Raises:
        UsageError: it is not in the environment and nobody sits at a terminal.
    """
    variable = "MINIVESS_PASSPHRASE_" + identity.upper().replace("-", "_").replace(".", "_")
    held = os.environ.get(variable)
    if held:
        return held
    if not sys.stdin.isatty():
        raise UsageError(f"the passphrase of {identity} is needed, and there is nobody to ask", hint=f"set {variable}")
    return str(click.prompt(f"Passphrase of {identity}", hide_input=True, err=True))


def services_of(folder: Path) -> Services:
    """Open the workspace's log and sinks."""
    from minivess.workflows.services import open_services

    workspace = Workspace.find(folder)
    return open_services(workspace.root, log_passphrase=lambda: passphrase_for("log"), progress=Progress())


def signer_of(services: Services, actor: str | None, *roles: Role) -> Signer:
    """Unlock whoever acts: the one named, or the only person in the keystore who holds one of the roles.

    Raises:
        UsageError: nobody or several could act and none was named.
        RefusedError: the passphrase is wrong, or the identity is locked.
    """
    from minivess.workflows.people import unlock

    who = _actor(services.workspace, actor, roles)
    return unlock(services, who, passphrase_for(who))


def first_signer_of(folder: Path, actor: str | None, *roles: Role) -> Signer:
    """As `signer_of`, before there is a log that could count wrong passphrases."""
    from minivess.compliance.identity.keystore import Keystore

    workspace = Workspace.find(folder)
    who = _actor(workspace.root, actor, roles)
    return Keystore(workspace.keystore).unlock(who, passphrase_for(who))


def _actor(workspace: Path, actor: str | None, roles: tuple[Role, ...]) -> str:
    from minivess.compliance.identity.keystore import Keystore

    if actor is not None:
        return actor
    able = [
        person.id
        for person in Keystore(Workspace(workspace).keystore).identities()
        if person.kind is IdentityKind.PERSON and (not roles or set(roles) & set(person.roles))
    ]
    if len(able) != 1:
        wanted = " or ".join(role.value for role in roles) or "person"
        raise UsageError(
            f"{'no' if not able else 'more than one'} {wanted} in the keystore",
            hint=f"name one with --as: {', '.join(able)}" if able else "`minivess identity create` makes one",
        )
    return able[0]
