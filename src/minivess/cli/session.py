"""What most commands need first: the workspace, its services and the person who acts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import Progress, say_more
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.names.sqlite_urls import sqlite_url
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.workflows.people.keys import Signer
    from minivess.workflows.session.services import Services, WorkspaceReader

_SITE = "minivess.cli.site"

actor_option = click.option(
    "--as", "actor", envvar="MINIVESS_ACTOR", help="Who acts (an identity's id). Needed when several could."
)


@implements("REQ-236")
def passphrase_for(identity: str, *, from_environment: bool = True) -> str:
    """The passphrase of an identity: from MINIVESS_PASSPHRASE_<ID> or asked for without echo.

    Args:
        identity: whose.
        from_environment: whether the environment may hold it; False for an act that a person does at a terminal.

    Raises:
        UsageError: it is not in the environment and there is no terminal to ask at.
    """
    variable = _variable(identity)
    held = os.environ.get(variable)
    if held and from_environment:
        return held
    if not sys.stdin.isatty():
        hint = f"set {variable}" if from_environment else f"type it at a terminal; {variable} is not used for this"
        raise UsageError(f"the passphrase of {identity} is needed, and stdin is not a terminal", hint=hint)
    return str(click.prompt(f"Passphrase of {identity}", hide_input=True, err=True))


def services_of(folder: Path) -> Services:
    """Open the workspace for writing; asks for the passphrase of the log's key."""
    from minivess.workflows.session.services import open_services

    workspace = Workspace.find(folder)
    say_more(f"opens {workspace.root} for writing")
    return open_services(workspace.root, log_passphrase=lambda: passphrase_for("log"), progress=Progress())


@implements("REQ-190", "REQ-209")
def reader_of(folder: Path) -> WorkspaceReader:
    """Open the workspace for reading, with the log that `audit --site` names; asks for no passphrase."""
    from minivess.workflows.session.services import open_reader

    workspace, site = Workspace.find(folder), chosen_site()
    url = None if site is None else sqlite_url(workspace.serving / f"{site}.db")
    say_more(f"opens {workspace.root} for reading{f', the log of site {site}' if site else ''}")
    return open_reader(workspace.root, database_url=url, progress=Progress())


def choose_site(site: str, folder: Path) -> None:
    """Read a service's log, for the rest of this command, in place of the device's.

    Raises:
        UsageError: there is no serving log of that name.
    """
    logs = sorted(path.stem for path in Workspace.find(folder).serving.glob("*.db"))
    if site not in logs:
        known = f"known here: {', '.join(logs)}" if logs else "`minivess serve` makes one"
        raise UsageError(f"there is no serving log {site!r}", hint=known)
    click.get_current_context().meta[_SITE] = site


def chosen_site() -> str | None:
    """The site that `choose_site` chose."""
    context = click.get_current_context(silent=True)
    return None if context is None else context.meta.get(_SITE)


def recorder_at_hand(folder: Path, actor: str | None, *roles: Role) -> str | None:
    """Who records a report without being asked for a passphrase.

    Args:
        folder: the project folder.
        actor: the one who was named; they are asked for their passphrase if need be.
        roles: who may record it, when no person was named.

    Returns:
        The one who was named, or the only person able to, when the environment holds their passphrase and the log's.
        None: no passphrase was given, so none is asked for.
    """
    if actor is not None:
        return actor
    from minivess.workflows.people.keys import able_people

    able = able_people(Workspace.find(folder).root, roles)
    given = len(able) == 1 and all(os.environ.get(_variable(who)) for who in ("log", able[0]))
    return able[0] if given else None


def signer_of(services: Services, actor: str | None, *roles: Role, from_environment: bool = True) -> Signer:
    """Unlock the person who acts: the one named, or the only person with keys here who holds one of the roles.

    Args:
        services: the workspace.
        actor: the one who was named.
        roles: who may act when no person was named.
        from_environment: as for `passphrase_for`.

    Raises:
        UsageError: no person or several could act and none was named.
        RefusedError: the passphrase is wrong, or the identity is locked.
    """
    from minivess.workflows.people.accounts import unlock

    who = who_acts(services.workspace, actor, *roles)
    return unlock(services, who, passphrase_for(who, from_environment=from_environment))


def first_signer_of(folder: Path, actor: str | None, *roles: Role) -> Signer:
    """As `signer_of`, before there is a log that could count wrong passphrases."""
    from minivess.workflows.people.keys import unlock_without_log

    workspace = Workspace.find(folder)
    who = who_acts(workspace.root, actor, *roles)
    return unlock_without_log(workspace, who, passphrase_for(who))


def _variable(identity: str) -> str:
    return "MINIVESS_PASSPHRASE_" + identity.upper().replace("-", "_").replace(".", "_")


def who_acts(workspace: Path, actor: str | None, *roles: Role) -> str:
    """The person who acts: the one named, or the only person with keys here who holds one of the roles.

    Raises:
        UsageError: no person or several could act and none was named.
    """
    if actor is not None:
        return actor
    from minivess.workflows.people.keys import able_people

    able = able_people(workspace, roles)
    if len(able) != 1:
        wanted = " or ".join(role.value for role in roles) or "person"
        raise UsageError(
            f"{'no' if not able else 'more than one'} {wanted} of this project has keys that this account can use",
            hint=f"name one with --as: {', '.join(able)}" if able else "`minivess identity create` makes one",
        )
    return able[0]
