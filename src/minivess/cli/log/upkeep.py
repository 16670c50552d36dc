"""`minivess audit drill|erase|rebuild`: testing verification on a copy, erasing details, and the cached tables."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import Progress, emit_entry, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role


@click.command(cls=Command)
@json_option
@click.pass_obj
def drill(project: Path, as_json: bool) -> None:
    """Tamper with copies of the log; check that this is found.

    Every known way of tampering is tried, each on a copy of its own.
    """
    from minivess.workflows.log.inspection import drill as run_drill

    with reader_of(project) as services:
        cases = run_drill(services)
    caught = sum(case.caught for case in cases)
    if as_json:
        emit_json({"caught": caught, "cases": [vars(case) for case in cases]})
    else:
        kinds: dict[str, list[bool]] = {}
        for case in cases:
            kinds.setdefault(case.kind, []).append(case.caught)
        words = {case.kind: case.words for case in cases}
        rows = [(kind, f"{sum(found)}/{len(found)}", words[kind]) for kind, found in kinds.items()]
        emit_table(("what was done to a copy", "caught", "for example"), rows)
        for case in cases:
            if not case.caught:
                click.echo(f"NOT CAUGHT: {case.kind}: {case.what}: {case.words}")
        click.echo(f"{caught} of {len(cases)} caught and named")
    if caught < len(cases) or not cases:
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.argument("index", type=click.IntRange(0))
@click.option("--reason", required=True, help="Why, in a line; it stays in the log.")
@actor_option
@json_option
@click.pass_obj
def erase(project: Path, index: int, reason: str, actor: str | None, as_json: bool) -> None:
    """Delete the details of entry INDEX; every proof still holds.

    The details are its payload and its error. A root or a release manager signs this.
    """
    from minivess.workflows.log.inspection import erase as erase_details

    with services_of(project) as services:
        signer = signer_of(services, actor, Role.RELEASE_MANAGER)
        emit_entry(erase_details(services, signer, index, reason).index, as_json=as_json)
    say("gone from the log and from its lineage events here; backups, packs and other receivers are yours to see to")


@click.command(cls=Command)
@json_option
@click.pass_obj
def rebuild(project: Path, as_json: bool) -> None:
    """Derive every cached table from the entries again.

    Each difference is reported; exit code 1 when there was one.
    """
    from minivess.workflows.log.inspection import rebuild_caches

    with services_of(project) as services:
        progress, size = Progress(), services.log.size
        found = rebuild_caches(services, lambda done: progress("entries", done, size))
    if as_json:
        emit_json(vars(found))
    else:
        for words in found.differences:
            click.echo(f"corrected: {words}")
        for words in found.left:
            click.echo(f"left as it is: {words}")
        named = len(found.differences) + len(found.left)
        if found.count > named:
            click.echo(f"and {found.count - named} more")
        click.echo(
            f"{found.entries} entries and {found.nodes} nodes of the tree derived again, {found.count} differences"
        )
    if found.count:
        raise click.exceptions.Exit(1)
