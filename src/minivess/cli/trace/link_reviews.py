"""`minivess trace review|approve|baseline|diff|impact|standards|attest`: what has changed, and what people say about it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.cli.trace.tree_options import results_option, source_option
from minivess.foundation.implements import implements
from minivess.records.people.roles import Role
from minivess.workflows.trace.source_trees import revision_of, source_of, traced

if TYPE_CHECKING:
    from minivess.records.items.trace import Signature


@click.command(cls=Command)
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Review every link that is suspect or was never reviewed.")
@json_option
@actor_option
@click.pass_obj
@implements("REQ-067")
def review(project: Path, ids: tuple[str, ...], everything: bool, as_json: bool, actor: str | None) -> None:
    """Review the links of items IDS, or list those that wait.

    A review states that the links hold as they are.
    """
    from minivess.workflows.trace import link_reviews

    if ids and everything:
        raise click.UsageError("give ids or --all")
    if ids or everything:
        with services_of(project) as services:
            person = signer_of(services, actor, Role.REVIEWER, Role.DEVELOPER, Role.RELEASE_MANAGER)
            done = link_reviews.review(services, person, only=ids)
        found = {"reviewed": [str(key) for key in done], "by": person.identity.id}
        emit(f"{len(done)} link(s) reviewed by {person.identity.id}", found, as_json=as_json)
        say("commit requirements/reviews.txt")
        return
    with reader_of(project) as reader:
        read = link_reviews.read_link_reviews(reader)
    states, unsigned = read.states, {str(key) for key in read.unsigned}
    waiting: list[tuple[str, str]] = [(str(key), state) for key, state in states.items() if state != "reviewed"]
    waiting += [(name, "unsigned") for name in sorted(unsigned)]
    if as_json:
        emit_json({"links": len(states), "waiting": [{"link": link, "state": state} for link, state in waiting]})
    else:
        emit_table(("link", "state"), waiting)
    say(f"{len(waiting)} of {len(states)} links wait for a review: `minivess trace review ID…` or `--all`")


@click.command(cls=Command)
@click.argument("subjects", nargs=-1)
@json_option
@actor_option
@click.pass_obj
@implements("REQ-117")
def approve(project: Path, subjects: tuple[str, ...], as_json: bool, actor: str | None) -> None:
    """Approve SUBJECTS as they are, or list what can be approved.

    SUBJECTS are plans by their path, change requests by their id, `requirements`, `risk` and `problems`.
    """
    if subjects:
        from minivess.workflows.trace import link_reviews

        with services_of(project) as services:
            person = signer_of(services, actor, Role.REVIEWER, Role.RELEASE_MANAGER)
            done = link_reviews.approve(services, person, subjects)
        entries = {subject: receipt.index for subject, receipt in done.items()}
        lines = [f"{subject} is approved by {person.identity.id}, entry {at}" for subject, at in entries.items()]
        emit("\n".join(lines), {"approved": entries, "by": person.identity.id}, as_json=as_json)
        return
    from minivess.foundation.clock import utc_now
    from minivess.workflows.trace.link_reviews import signatures_of_subjects

    trace = traced(project, None, None, now=utc_now())
    rows = [(name, *_standing(signature)) for name, signature in signatures_of_subjects(trace).items()]
    if as_json:
        emit_json({"subjects": [dict(zip(("subject", "state", "by", "entry"), row, strict=True)) for row in rows]})
    else:
        emit_table(("subject", "state", "by", "entry"), rows)


def _standing(signature: Signature | None) -> tuple[str, str, str]:
    """How an approval stands, by whom it is, and at which entry."""
    if signature is None:
        return "waits", "", ""
    state = f"waits: {signature.out_of_date}" if signature.out_of_date else "approved"
    return state, signature.actor, str(signature.entry)


@click.command(cls=Command)
@click.argument("name")
@actor_option
@json_option
@click.pass_obj
@implements("REQ-068")
def baseline(project: Path, name: str, actor: str | None, as_json: bool) -> None:
    """Sign the digest of all items under NAME, for this commit."""
    from minivess.workflows.trace import link_reviews

    with services_of(project) as services:
        person = signer_of(services, actor, Role.RELEASE_MANAGER, Role.REVIEWER, Role.DEVELOPER)
        receipt = link_reviews.take_baseline(services, person, name)
    text = f"baseline {name} is entry {receipt.index}"
    emit(text, {"baseline": name, "entry": receipt.index}, as_json=as_json)


@click.command(cls=Command)
@click.argument("before")
@click.argument("after", required=False)
@source_option
@json_option
@click.pass_obj
@implements("REQ-068")
def diff(project: Path, before: str, after: str | None, source: Path | None, as_json: bool) -> None:
    """List the items that changed from BEFORE to AFTER.

    Both are baselines or revisions of git. Without AFTER: the files as they are.
    """
    from dataclasses import asdict

    from minivess.workflows.items.changes import changes_between

    tree = source_of(project, source)
    changes = changes_between(tree, before, after, partial(revision_of, project))
    if as_json:
        emit_json({"changes": [asdict(one) for one in changes]})
        return
    for one in changes:
        click.echo(f"{one.how}: {one.item} {one.title}")
        for name, (old, new) in one.fields.items():
            click.echo(f"  {name}:\n  - {old}\n  + {new}")
    say(f"{len(changes)} item(s) differ")


@click.command(cls=Command)
@click.argument("ids", nargs=-1)
@source_option
@click.option("--since", metavar="REVISION", help="Everything that changed since a revision of git or a baseline.")
@click.option(
    "--pytest", "form", flag_value="pytest", help="Print only the option that makes pytest run what is needed."
)
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.pass_obj
@implements("REQ-068")
def impact(project: Path, ids: tuple[str, ...], source: Path | None, since: str | None, form: str | None) -> None:
    """List what a change of the items IDS affects.

    It lists what must be verified, reviewed and signed again.
    """
    from dataclasses import asdict

    from minivess.workflows.items.changes import impact_of_changes

    tree = source_of(project, source)
    found, known = impact_of_changes(tree, ids, since, partial(revision_of, project))
    if form == "pytest":
        click.echo(found.selection)
    elif form == "json":
        emit_json({**asdict(found), "selection": found.selection})
    else:
        items = known.by_id
        links = [" ".join(link) for link in found.review]
        for title, lines in (
            ("changed", [f"{name} {items[name].title}" for name in found.changed]),
            ("affected", [f"{name} {items[name].title}" for name in found.affected[len(found.changed) :]]),
            ("links to review", links),
            ("scenarios and tests to run", list(found.tests)),
            ("attestations to sign again", [f"{name} {items[name].title}" for name in found.sign]),
        ):
            click.echo(f"{title}: {len(lines)}")
            for line in lines:
                click.echo(f"  {line}")


@click.command(cls=Command)
@source_option
@results_option
@click.option("--status", type=click.Choice(["met", "justified", "open"]), help="Only clauses of this status.")
@json_option
@click.pass_obj
@implements("REQ-072")
def standards(project: Path, source: Path | None, results: Path | None, status: str | None, as_json: bool) -> None:
    """List the clauses of the standards and what is to do next."""
    from minivess.foundation.clock import utc_now

    trace = traced(project, source, results, now=utc_now())
    rows = [row.to_data() for row in trace.coverage]
    shown = [row for row in rows if status is None or row.status == status]
    if as_json:
        emit_json({"coverage": [row.model_dump(mode="json") for row in shown]})
    else:
        emit_table(
            ("clause", "status", "asks for", "next"),
            [(row.id, row.status, row.paraphrase, row.next) for row in shown],
        )
    counts = {name: sum(row.status == name for row in rows) for name in ("met", "justified", "open")}
    say(", ".join(f"{count} {name}" for name, count in counts.items()) + f", of {len(rows)} clauses")
    if not rows:
        raise click.exceptions.Exit(1)


@click.command(cls=Command)
@click.argument("item")
@actor_option
@json_option
@click.pass_obj
@implements("REQ-072")
def attest(project: Path, item: str, actor: str | None, as_json: bool) -> None:
    """Sign the attestation ITEM, word for word as it is written."""
    from minivess.workflows.trace import clause_coverage as standards_workflow

    with services_of(project) as services:
        receipt = standards_workflow.attest(services, signer_of(services, actor), item)
    text = f"{item} is attested by entry {receipt.index}"
    emit(text, {"item": item, "entry": receipt.index}, as_json=as_json)
