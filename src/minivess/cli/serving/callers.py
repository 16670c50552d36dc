"""`minivess caller`: the API keys of those who call the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Group
from minivess.cli.rendering import emit, emit_entry, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.log.callers import REQUESTS_A_MINUTE, Scope
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from datetime import datetime

    from minivess.workflows.serving.access.callers import Caller, MadeKey

_days = click.option("--days", default=90, show_default=True, help="Days until the key expires (366 at most).")
_caller = click.argument("identifier", metavar="CALLER")


@click.group(cls=Group, sections={"Commands": ("list", "create", "rotate", "revoke")})
def caller() -> None:
    """Manage the API keys of those who call the service."""


@caller.command("list")
@json_option
@click.pass_obj
def list_callers(project: Path, as_json: bool) -> None:
    """List who may call the service, with scopes and limits.

    Keys are in no list: the log has their digests alone.
    """
    from minivess.workflows.serving.access.callers import callers_of

    with reader_of(project) as reader:
        found, now = tuple(callers_of(reader).known.values()), reader.clock()
    if as_json:
        emit_json([_plain(one, now) for one in found])
        return
    rows = [(one.id, " ".join(sorted(one.scopes)), _until(one, now), one.requests_a_minute) for one in found]
    emit_table(("caller", "scopes", "key until", "requests a minute"), rows)


def _plain(one: Caller, now: datetime) -> dict[str, object]:
    """A caller for other programs."""
    return {
        "caller": one.id,
        "scopes": sorted(one.scopes),
        "until": _until(one, now),
        "requests_a_minute": one.requests_a_minute,
        "body_bytes": one.body_bytes,
        "revoked": one.revoked,
    }


def _until(one: Caller, now: datetime) -> str:
    """Until when a caller has a key."""
    last = max(held.until for held in one.keys)
    return "revoked" if one.revoked else f"{last:%Y-%m-%dT%H:%M:%SZ}" if now < last else "expired"


@caller.command()
@_caller
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=[Scope.INFER.value],
    show_default=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the caller may do: send images, read decisions, read metrics. Repeatable.",
)
@_days
@click.option(
    "--requests-a-minute",
    default=REQUESTS_A_MINUTE,
    show_default=True,
    type=click.IntRange(1),
    help="Requests that are answered in a minute; further ones get status 429.",
)
@click.option("--megabytes", type=click.IntRange(1), help="Largest request in MB; by default that of the service.")
@actor_option
@json_option
@click.pass_obj
def create(
    project: Path,
    *,
    identifier: str,
    scopes: tuple[str, ...],
    days: int,
    requests_a_minute: int,
    megabytes: int | None,
    actor: str | None,
    as_json: bool,
) -> None:
    """Make a key for CALLER, and print it once.

    A root or a release manager signs this. The caller sends the key as `Authorization: Bearer KEY`. The log has its
    digest, and CALLER is in the entry of each answer: name a system, not a person. From the first key on, each caller
    needs one.
    """
    from minivess.workflows.serving.access import callers

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        made = callers.create(
            services,
            signer,
            identifier,
            scopes=tuple(Scope(scope) for scope in scopes),
            days=days,
            requests_a_minute=requests_a_minute,
            body_bytes=None if megabytes is None else megabytes * 1_000_000,
        )
    _show(identifier, made, as_json=as_json)


@caller.command()
@_caller
@_days
@click.option(
    "--overlap-hours",
    default=24,
    show_default=True,
    type=click.IntRange(0, 720),
    help="How long the key before counts as well; 0 where it may be known to others.",
)
@actor_option
@json_option
@click.pass_obj
def rotate(project: Path, *, identifier: str, days: int, overlap_hours: int, actor: str | None, as_json: bool) -> None:
    """Make another key for CALLER, and print it once."""
    from minivess.workflows.serving.access import callers

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        made = callers.rotate(services, signer, identifier, days=days, overlap_hours=overlap_hours)
    _show(identifier, made, as_json=as_json)


@caller.command()
@_caller
@click.option("--reason", required=True, help="Why, in one line. It is signed and stays in the log.")
@actor_option
@json_option
@click.pass_obj
def revoke(project: Path, *, identifier: str, reason: str, actor: str | None, as_json: bool) -> None:
    """Let no key of CALLER count any longer."""
    from minivess.workflows.serving.access import callers

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        receipt = callers.revoke(services, signer, identifier, reason)
    emit_entry(receipt.index, as_json=as_json)


def _show(identifier: str, made: MadeKey, *, as_json: bool) -> None:
    expires = f"{made.expires:%Y-%m-%dT%H:%M:%SZ}"
    emit(
        made.key,
        {"caller": identifier, "key": made.key, "expires": expires, "entry": made.receipt.index},
        as_json=as_json,
    )
    say(f"keep the key: it is not shown again. It expires on {expires}")
