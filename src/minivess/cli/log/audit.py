"""`minivess audit`: the log read by a person, started, cosigned, and what relied on a key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from minivess.cli.groups import Group
from minivess.cli.log import checks, entries, upkeep
from minivess.cli.log.action_table import rules
from minivess.cli.log.restoring import restore, seen
from minivess.cli.log.time_attestations import timestamp
from minivess.cli.rendering import emit, emit_entry, emit_json, emit_table, json_option
from minivess.cli.session import (
    actor_option,
    choose_site,
    first_signer_of,
    passphrase_for,
    reader_of,
    services_of,
    signer_of,
)
from minivess.foundation.errors import UsageError
from minivess.foundation.paths import Workspace
from minivess.records.people.roles import Role

_OF_A_SITE = ("log", "show", "prove", "verify", "checkpoint")


@click.group(
    cls=Group,
    sections={
        "Start": ("start",),
        "Read": ("log", "show", "blast-radius"),
        "Prove and verify": ("verify", "prove", "checkpoint", "compare", "trust", "drill"),
        "Witness": ("cosign", "witness", "timestamp"),
        "Maintain": ("erase", "rebuild", "seen", "restore", "rules"),
    },
)
@click.option("--site", help="Read the log of the service at this site in place of the device's (`minivess serve`).")
@click.pass_context
def audit(context: click.Context, site: str | None) -> None:
    """Read, prove and verify the log."""
    if site is not None:
        if context.invoked_subcommand not in _OF_A_SITE:
            raise UsageError(f"--site is for {', '.join(_OF_A_SITE)}")
        choose_site(site, context.obj)


for command in (
    *(entries.log, entries.show),
    *(checks.prove, checks.verify, checks.checkpoint, checks.compare, checks.trust),
    *(upkeep.drill, upkeep.erase, upkeep.rebuild),
    *(rules, restore, seen, timestamp),
):
    audit.add_command(command)


@audit.command()
@actor_option
@json_option
@click.pass_obj
def cosign(project: Path, actor: str | None, as_json: bool) -> None:
    """Cosign the newest checkpoint as a person, and remember it.

    The first time, the log records the person's key for this.
    """
    from minivess.workflows.log import cosigning

    with services_of(project) as services:
        signer = signer_of(services, actor)
        note = cosigning.cosign(services, signer)
    origin, size = note.splitlines()[:2]
    found = {"identity": signer.identity.id, "origin": origin, "entries": int(size)}
    emit(f"{signer.identity.id} cosigned {size} entries of {origin}", found, as_json=as_json)


@audit.command()
@click.option(
    "--checked",
    type=(str, str, str),
    multiple=True,
    metavar="ID DOCUMENT TRAINING",
    help="What you checked about a root: the document of identity and the record of training. Repeatable.",
)
@actor_option
@json_option
@click.pass_obj
def start(project: Path, checked: tuple[tuple[str, str, str], ...], actor: str | None, as_json: bool) -> None:
    """Start the log of a project; every person becomes a root.

    The log gets a key of its own.
    """
    from minivess.records.log.witnessed import Checked
    from minivess.workflows.people.accounts import start_log

    signer = first_signer_of(project, actor, Role.RELEASE_MANAGER)
    known = {who: Checked(document=document, training=training) for who, document, training in checked}
    receipt = start_log(Workspace.find(project), signer, log_passphrase=passphrase_for("log"), checked=known or None)
    emit_entry(receipt.index, as_json=as_json)


@audit.command()
@json_option
@click.pass_obj
def witness(project: Path, as_json: bool) -> None:
    """Have the project's witnesses cosign the newest checkpoint.

    The project file names the witnesses.
    """
    from minivess.workflows.log.witnessing import cosign_checkpoint

    with services_of(project) as services:
        if services.project.witnesses is None:
            raise UsageError(
                "the project file names no witnesses", hint="witnesses: {quorum: 2, witnesses: [{url, key}, …]}"
            )
        _, vouched = cosign_checkpoint(services.log, services.project.witnesses)
    times = {one.name: datetime.fromtimestamp(one.time, UTC) for one in vouched}
    text = "\n".join(f"{name} vouches since {time:%Y-%m-%d %H:%M:%S} UTC" for name, time in times.items())
    rows = [{"witness": name, "since": time.isoformat()} for name, time in times.items()]
    emit(text, {"witnesses": rows}, as_json=as_json)


@audit.command("blast-radius")
@click.argument("key")
@json_option
@click.pass_obj
def blast_radius(project: Path, key: str, as_json: bool) -> None:
    """List every entry and release that relied on KEY, and why.

    KEY is a key id, its first digits, or an identity's id.
    """
    from dataclasses import asdict

    from minivess.workflows.log.inspection import reliance_on

    with reader_of(project) as services:
        found = reliance_on(services, key)
    if as_json:
        emit_json(asdict(found))
        return
    ended = "still counts" if found.end is None else f"counts no longer from entry {found.end} on"
    click.echo(f"key {found.key[:12]} of {found.identity}: counts from entry {found.start} on, {ended}\n")
    emit_table(
        ("entry", "who", "action", "why"), [(one.index, one.actor, one.action, one.why) for one in found.reliances]
    )
    click.echo("")
    for version, why in found.releases:
        click.echo(f"release {version} relied on it: {why}")
    click.echo(f"{len(found.reliances)} entries and {len(found.releases)} releases relied on this key")
