"""`minivess data split` and `minivess data leakage`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.data.split import Share, SplitManifest
    from minivess.workflows.people.keys import Signer
    from minivess.workflows.session.services import Services


@click.command(cls=LongCommand)
@actor_option
@click.option("--preview", is_flag=True, help="Show the split and lock nothing.")
@json_option
@click.pass_obj
def split(project: Path, actor: str | None, preview: bool, as_json: bool) -> None:
    """Split subjects into training, calibration and test.

    A signed entry locks the split. A locked split of the same cases cannot be changed: look at it with --preview first.
    """
    from minivess.workflows.data import splits, splitting

    if preview:
        with reader_of(project) as reader:
            made = splitting.propose(reader)
            shares, note = splits.shares(reader, made), splits.subjects_note(reader)
    else:
        with services_of(project) as services:
            made = splitting.split(services, _developer(services, actor))
            shares, note = splits.shares(services, made), splits.subjects_note(services)
    if as_json:
        emit_json(made)
    else:
        emit_table(*_table(shares))
    if note is not None:
        say(f"warning: {note}")
    _write_notes(made, preview=preview)


@click.command(cls=LongCommand)
@actor_option
@json_option
@click.pass_obj
def leakage(project: Path, actor: str | None, as_json: bool) -> None:
    """Look for leaks in the present split; exit 1 when there is one.

    Compares subjects, acquisitions, origins, exact copies and near duplicates. Writes data/leakage.json and, when there
    is something to show, data/leakage.html with the pictures of each pair.
    """
    from minivess.workflows.data import splits as workflow

    with services_of(project) as services:
        report = workflow.leakage(services, _developer(services, actor))
    if as_json:
        emit_json(report)
    else:
        rows = [("leak", *leak.places, leak.detail) for leak in report.across]
        rows += [("copy", *leak.places, leak.detail) for leak in report.within]
        emit_table(("finding", "case", "and case", "why"), rows)
    say(f"{len(report.across)} leaks across parts, {len(report.within)} copies within a part")
    if report.blocked:
        raise click.exceptions.Exit(1)


def _developer(services: Services, actor: str | None) -> Signer:
    return signer_of(services, actor, Role.DEVELOPER)


def _table(shares: tuple[Share, ...]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    strata = list(shares[0].strata)
    rows: list[tuple[object, ...]] = [
        (
            share.name,
            share.groups,
            share.subjects,
            share.cases,
            f"{100 * share.foreground:.2f} %",
            *(share.strata[name] for name in strata),
        )
        for share in shares
    ]
    return ("part", "groups", "subjects", "cases", "foreground", *strata), rows


def _write_notes(made: SplitManifest, *, preview: bool) -> None:
    for overruled in made.not_copies:
        say(str(overruled))
    for pair in made.near[:12]:
        say(f"{pair.cases[0]} and {pair.cases[1]} stay together: {pair.kind.value}, {pair.detail}")
    if len(made.near) > 12:
        say(f"and {len(made.near) - 12} more pairs that stay together")
    say("a preview: nothing is locked" if preview else f"locked as {made.root}")
