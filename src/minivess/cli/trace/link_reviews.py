"""`minivess trace review|approve|baseline|diff|impact|standards|attest`: what has changed, and what people say about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, reader_of, services_of, signer_of
from minivess.cli.trace.tree_options import results_option, source_of, source_option, traced
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.items.trace import Signature


@click.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Review every link that is suspect or was never reviewed.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@actor_option
@click.pass_obj
@implements("REQ-067")
def review(project: Path, ids: tuple[str, ...], everything: bool, as_json: bool, actor: str | None) -> None:
    """Say that the links of items IDS hold as they are; without IDS show which links wait for that."""
    from minivess.workflows.trace import link_reviews

    if ids and everything:
        raise click.UsageError("give ids or --all")
    if ids or everything:
        with services_of(project) as services:
            person = signer_of(services, actor, Role.REVIEWER, Role.DEVELOPER, Role.RELEASE_MANAGER)
            done = link_reviews.review(services, person, only=ids)
        say(f"{len(done)} link(s) reviewed by {person.identity.id}; commit requirements/reviews.txt")
        return
    with reader_of(project) as reader:
        found = link_reviews.read_link_reviews(reader)
    states, unsigned = found.states, {str(key) for key in found.unsigned}
    waiting: list[tuple[str, str]] = [(str(key), state) for key, state in states.items() if state != "reviewed"]
    waiting += [(name, "unsigned") for name in sorted(unsigned)]
    if as_json:
        emit_json({"links": len(states), "waiting": [{"link": link, "state": state} for link, state in waiting]})
    else:
        emit_table(("link", "state"), waiting)
    say(f"{len(waiting)} of {len(states)} links wait for a review: `minivess trace review ID…` or `--all`")


@click.command()
@click.argument("subjects", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@actor_option
@click.pass_obj
@implements("REQ-117")
def approve(project: Path, subjects: tuple[str, ...], as_json: bool, actor: str | None) -> None:
    """Approve SUBJECTS as they stand, or list what can be approved and how each stands.

    SUBJECTS are plans by their path, change requests by their id, `requirements`, `risk` and `problems`.
    """
    if subjects:
        from minivess.workflows.trace import link_reviews

        with services_of(project) as services:
            person = signer_of(services, actor, Role.REVIEWER, Role.RELEASE_MANAGER)
            for subject, receipt in link_reviews.approve(services, person, subjects).items():
                say(f"{subject} is approved by {person.identity.id}, entry {receipt.index}")
        return
    from minivess.compliance.standards.approvals import approvable, approved
    from minivess.foundation.clock import utc_now

    trace = traced(project, None, None, now=utc_now())
    signed = approved(trace.story.signatures) if trace.story is not None else {}
    rows = [(name, *_standing(signed.get(name))) for name in approvable(trace.tree.source, trace.tree.items)]
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


@click.command()
@click.argument("name")
@actor_option
@click.pass_obj
@implements("REQ-068")
def baseline(project: Path, name: str, actor: str | None) -> None:
    """Sign the digest of all items under NAME, for the commit that is checked out."""
    from minivess.workflows.trace import link_reviews

    with services_of(project) as services:
        person = signer_of(services, actor, Role.RELEASE_MANAGER, Role.REVIEWER, Role.DEVELOPER)
        receipt = link_reviews.take_baseline(services, person, name)
    say(f"baseline {name} is entry {receipt.index}")


@click.command()
@click.argument("before")
@click.argument("after", required=False)
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-068")
def diff(project: Path, before: str, after: str | None, source: Path | None, as_json: bool) -> None:
    """What changed in the items from BEFORE to AFTER: baselines or revisions of git. Default: the files as they are."""
    from dataclasses import asdict

    from minivess.compliance.items.items import load_items
    from minivess.compliance.items.revisions import difference, items_at

    tree = source_of(project, source)
    later = load_items(tree) if after is None else items_at(tree, _revision(project, after))
    changes = difference(items_at(tree, _revision(project, before)), later)
    if as_json:
        emit_json({"changes": [asdict(one) for one in changes]})
        return
    for one in changes:
        click.echo(f"{one.how}: {one.item} {one.title}")
        for name, (old, new) in one.fields.items():
            click.echo(f"  {name}:\n  - {old}\n  + {new}")
    say(f"{len(changes)} item(s) differ")


@click.command()
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
    """What has to be verified, reviewed and signed again when the items IDS change."""
    from dataclasses import asdict

    from minivess.compliance.items.revisions import items_at
    from minivess.compliance.trace.graph import TraceGraph
    from minivess.compliance.trace.impact import changed_between, impact_of

    tree = source_of(project, source)
    graph = TraceGraph.load(tree)
    changed = list(ids)
    if since is not None:
        changed += changed_between(items_at(tree, _revision(project, since)), graph.items)
    if not changed and since is None:
        raise click.UsageError("name items, or --since a revision")
    found = impact_of(graph, changed)
    if form == "pytest":
        click.echo(found.selection)
    elif form == "json":
        emit_json({**asdict(found), "selection": found.selection})
    else:
        items = graph.items.by_id
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


@click.command()
@source_option
@results_option
@click.option("--status", type=click.Choice(["met", "justified", "open"]), help="Only clauses that stand so.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-072")
def standards(project: Path, source: Path | None, results: Path | None, status: str | None, as_json: bool) -> None:
    """How every clause of the standards stands, and what has to be done next."""
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
    say(", ".join(f"{count} {name}" for name, count in counts.items()))


@click.command()
@click.argument("item")
@actor_option
@click.pass_obj
@implements("REQ-072")
def attest(project: Path, item: str, actor: str | None) -> None:
    """Sign the attestation ITEM, word for word as it stands in the source tree."""
    from minivess.workflows.trace import clause_coverage as standards_workflow

    with services_of(project) as services:
        receipt = standards_workflow.attest(services, signer_of(services, actor), item)
    say(f"{item} is attested by entry {receipt.index}")


def _revision(project: Path, name: str) -> str:
    """The commit of a baseline of this project's log; any other name is one for git."""
    if not (project / PROJECT_FILE).is_file():
        return name
    from minivess.workflows.trace import link_reviews

    with reader_of(project) as services:
        known = link_reviews.baselines(services).get(name)
    return known.commit if known is not None and known.commit else name
