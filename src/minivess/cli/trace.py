"""`minivess trace` and `minivess risk`."""

from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.records.identity import Role

if TYPE_CHECKING:
    from minivess.compliance.standards.catalogue import SafetyClass
    from minivess.compliance.standards.coverage import Attested

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=None,
    help="Tree with requirements/, risk/, features/ and src/. Default: the project's `source`, or this folder.",
)


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of `trace run`: with them, untested means not passed.",
)


def _source(project: Path, source: Path | None) -> Path:
    if source is not None:
        return source
    if (project / PROJECT_FILE).is_file():
        from minivess.foundation.strict_yaml import read_record
        from minivess.records.project import Project

        return (project / read_record(project / PROJECT_FILE, Project).source).resolve()
    return project


@click.group()
def trace() -> None:
    """Requirements, risks, scenarios, results and code, linked and checked."""


@trace.command()
@source_option
@results_option
@click.option(
    "--cases",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of cases (evaluation.json or a CSV): judge the statistical criteria by them.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-031")
def check(project: Path, source: Path | None, results: Path | None, cases: Path | None, as_json: bool) -> None:
    """Name every gap with its file and line; exit 1 when there is one."""
    from minivess.compliance.traceability.graph import TraceGraph
    from minivess.compliance.traceability.justified import idle_justifications, judged
    from minivess.compliance.traceability.reports import read_report
    from minivess.foundation.clock import utc_now

    gc.disable()  # a short process that makes many small things and no circles of them
    judge = None
    if cases is not None:
        from minivess.workflows.criteria import judge_all, read_cases

        judge = partial(judge_all, cases=read_cases(cases))
    report = None if results is None else read_report(results)
    graph = TraceGraph.load(_source(project, source), report, judge=judge)
    gaps = judged(graph, graph.gaps(), utc_now().date())
    if as_json:
        emit_json(
            {"gaps": [{**one.gap.model_dump(mode="json"), "open": one.open, "remark": one.remark} for one in gaps]}
        )
    else:
        for one in gaps:
            gap, remark = one.gap, f" ({one.remark})" if one.remark else ""
            click.echo(f"{gap.source.path}:{gap.source.line}: {gap.kind}: {gap.message}{remark}")
    for idle in idle_justifications(graph, [one.gap for one in gaps]):
        say(f"{idle.source.path}:{idle.source.line}: there is no gap `{idle.subject}` to justify (any more)")
    still_open = sum(one.open for one in gaps)
    justified = f", {len(gaps) - still_open} justified" if len(gaps) > still_open else ""
    say(f"{still_open} gap(s){justified}" if gaps else "no gap: every link holds")
    if still_open:
        raise click.exceptions.Exit(1)


@trace.command()
@source_option
@results_option
@click.option("--kind", help="Only items of a kind: `requirement`, or the beginning of its ids, `REQ`.")
@click.option("--status", help="Only items of a status, for example `failed`.")
@click.option("--suspect", is_flag=True, help="Only items with a suspect link.")
@click.option("--search", default="", help="Only items in which these words stand.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the whole matrix to a .csv, .xlsx or .json file.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-070")
def matrix(project: Path, /, **wishes: Any) -> None:
    """The traceability matrix: in the terminal, or to a file."""
    from minivess.compliance.evidence.site.tables import terminal_view

    source, results, out, as_json = (wishes.pop(name) for name in ("source", "results", "out", "as_json"))
    seen = _view(project, source, results)
    if out is not None:
        _write_matrix(seen, out)
    elif as_json:
        emit_json(seen)
    else:
        shown = terminal_view(seen, **wishes)
        emit_table(shown.header, shown.rows)
        say(f"{len(shown.rows)} of {shown.total} items")


@trace.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@source_option
@results_option
@click.pass_obj
@implements("REQ-070")
def site(project: Path, folder: Path, source: Path | None, results: Path | None) -> None:
    """Write the matrix as pages into FOLDER, for any browser, without a server."""
    from minivess.compliance.evidence.site.writer import write_site

    pages = write_site(_view(project, source, results), folder)
    say(f"{len(pages)} files; open {pages[0]}")


def _view(project: Path, source: Path | None, results: Path | None) -> dict[str, Any]:
    """Everything the trace graph of a tree knows, with what the tree is."""
    from minivess.compliance.traceability.graph import TraceGraph
    from minivess.compliance.traceability.reports import read_report
    from minivess.compliance.traceability.view import view
    from minivess.foundation.clock import timestamp, utc_now
    from minivess.foundation.provenance import project_name, source_state, tree_digest
    from minivess.workflows.standards import standards_of

    tree, now = _source(project, source), utc_now()
    graph = TraceGraph.load(tree, None if results is None else read_report(results))
    name, version = project_name(tree)
    about = {
        "name": name,
        "version": version,
        "commit": source_state(tree)[0],
        "tree": tree_digest(tree),
        "time": timestamp(now),
    }
    rows = standards_of(tree, graph, safety_class=_safety_class(project), today=now.date())
    return view(graph, today=now.date(), project=about, coverage=[row.to_json() for row in rows])


def _safety_class(project: Path) -> SafetyClass:
    """Of the project's device; without a project that of this software itself."""
    if (project / PROJECT_FILE).is_file():
        from minivess.foundation.strict_yaml import read_record
        from minivess.records.project import Project

        return read_record(project / PROJECT_FILE, Project).device.safety_class
    return "B"


def _write_matrix(seen: dict[str, Any], out: Path) -> None:
    from minivess.compliance.evidence.site.tables import write_csv, write_xlsx
    from minivess.foundation.files import write_text_atomic

    if out.suffix == ".csv":
        write_csv(seen, out)
    elif out.suffix == ".xlsx":
        write_xlsx(seen, out)
    elif out.suffix == ".json":
        write_text_atomic(out, json.dumps(seen, ensure_ascii=False, indent=1) + "\n")
    else:
        raise click.UsageError("the matrix can be written to .csv, .xlsx and .json")
    say(f"wrote {out}")


@trace.command()
@actor_option
@click.pass_obj
def run(project: Path, actor: str | None) -> None:
    """Run the scenarios of the source tree and record their results in the log."""
    from minivess.workflows import verification

    with services_of(project) as services:
        report = verification.run_scenarios(services, signer_of(services, actor, Role.DEVELOPER))
    failed = [result for result in report.results if result.outcome != "passed"]
    click.echo(f"{len(report.results) - len(failed)} of {len(report.results)} passed")
    for result in failed:
        click.echo(f"{result.outcome}: {result.node}: {result.message}")
    if failed or not report.results:
        raise click.exceptions.Exit(1)


@trace.command()
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Review every link that is suspect or was never reviewed.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@actor_option
@click.pass_obj
@implements("REQ-067")
def review(project: Path, ids: tuple[str, ...], everything: bool, as_json: bool, actor: str | None) -> None:
    """Say that the links of items IDS hold as they are; without IDS show which links wait for that."""
    from minivess.workflows import tracing

    if ids and everything:
        raise click.UsageError("give ids or --all")
    with services_of(project) as services:
        if ids or everything:
            person = signer_of(services, actor, Role.REVIEWER, Role.DEVELOPER, Role.RELEASE_MANAGER)
            done = tracing.review(services, person, only=ids)
            say(f"{len(done)} link(s) reviewed by {person.identity.id}; commit requirements/reviews.txt")
            return
        states = tracing.link_states(services)
        unsigned = {str(key) for key in tracing.unsigned_reviews(services)}
    waiting: list[tuple[str, str]] = [(str(key), state) for key, state in states.items() if state != "reviewed"]
    waiting += [(name, "unsigned") for name in sorted(unsigned)]
    if as_json:
        emit_json({"links": len(states), "waiting": [{"link": link, "state": state} for link, state in waiting]})
    else:
        emit_table(("link", "state"), waiting)
    say(f"{len(waiting)} of {len(states)} links wait for a review: `minivess trace review ID…` or `--all`")


@trace.command()
@click.argument("name")
@actor_option
@click.pass_obj
@implements("REQ-068")
def baseline(project: Path, name: str, actor: str | None) -> None:
    """Sign the digest of all items under NAME, for the commit that is checked out."""
    from minivess.workflows import tracing

    with services_of(project) as services:
        person = signer_of(services, actor, Role.RELEASE_MANAGER, Role.REVIEWER, Role.DEVELOPER)
        receipt = tracing.take_baseline(services, person, name)
    say(f"baseline {name} is entry {receipt.index}")


@trace.command()
@click.argument("before")
@click.argument("after", required=False)
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-068")
def diff(project: Path, before: str, after: str | None, source: Path | None, as_json: bool) -> None:
    """What changed in the items from BEFORE to AFTER: baselines or revisions of git. Default: the files as they are."""
    from dataclasses import asdict

    from minivess.compliance.traceability.items import load_items
    from minivess.compliance.traceability.revisions import difference, items_at

    tree = _source(project, source)
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


@trace.command()
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

    from minivess.compliance.traceability.graph import TraceGraph
    from minivess.compliance.traceability.impact import changed_between, impact_of
    from minivess.compliance.traceability.revisions import items_at

    tree = _source(project, source)
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


def _revision(project: Path, name: str) -> str:
    """The commit of a baseline of this project's log; any other name is one for git."""
    if not (project / PROJECT_FILE).is_file():
        return name
    from minivess.workflows import tracing

    with services_of(project) as services:
        known = tracing.baselines(services).get(name)
    return known.commit if known is not None and known.commit else name


@trace.command()
@source_option
@results_option
@click.option("--status", type=click.Choice(["met", "justified", "open"]), help="Only clauses that stand so.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-072")
def standards(project: Path, source: Path | None, results: Path | None, status: str | None, as_json: bool) -> None:
    """How every clause of the standards stands, and what has to be done next."""
    from minivess.compliance.traceability.graph import TraceGraph
    from minivess.compliance.traceability.reports import read_report
    from minivess.foundation.clock import utc_now
    from minivess.workflows.standards import attestations_of, standards_of

    tree = _source(project, source)
    graph = TraceGraph.load(tree, None if results is None else read_report(results))
    attested: tuple[Attested, ...] = ()
    if (project / PROJECT_FILE).is_file():
        with services_of(project) as services:
            attested = attestations_of(services)
    found = standards_of(
        tree, graph, safety_class=_safety_class(project), today=utc_now().date(), attestations=attested
    )
    rows = [row.to_json() for row in found]
    shown = [row for row in rows if status is None or row["status"] == status]
    if as_json:
        emit_json({"coverage": shown})
    else:
        emit_table(
            ("clause", "status", "asks for", "next"),
            [(row["id"], row["status"], row["paraphrase"], row["next"]) for row in shown],
        )
    counts = {name: sum(row["status"] == name for row in rows) for name in ("met", "justified", "open")}
    say(", ".join(f"{count} {name}" for name, count in counts.items()))


@trace.command()
@click.argument("item")
@actor_option
@click.pass_obj
@implements("REQ-072")
def attest(project: Path, item: str, actor: str | None) -> None:
    """Sign the attestation ITEM, word for word as it stands in the source tree."""
    from minivess.workflows import standards as standards_workflow

    with services_of(project) as services:
        receipt = standards_workflow.attest(services, signer_of(services, actor), item)
    say(f"{item} is attested by entry {receipt.index}")


@trace.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def schemas(folder: Path) -> None:
    """Write JSON Schemas of the items into FOLDER, for editors."""
    from minivess.compliance.traceability.schemas import write_schemas

    for path in write_schemas(folder):
        click.echo(path)


@click.group()
def risk() -> None:
    """The risk file, computed from its plan."""


@risk.command()
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def report(project: Path, source: Path | None, as_json: bool) -> None:
    """Every risk with its levels before and after control, computed; exit 1 when one is not acceptable."""
    from minivess.compliance.risk.risk_file import RiskFile

    file = RiskFile.load(_source(project, source))
    if as_json:
        emit_json(file.to_json())
    else:
        emit_table(("risk", "title", "initial", "residual", "controls", "verdict"), file.rows())
    if not file.acceptable:
        raise click.exceptions.Exit(1)


@risk.command("drill")
@click.argument("controls", nargs=-1)
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-073")
def drill_controls(project: Path, controls: tuple[str, ...], source: Path | None, as_json: bool) -> None:
    """Take risk controls away, one by one, and see whether their scenarios fail; exit 1 when one is not missed."""
    from minivess.cli.rendering import Progress
    from minivess.workflows.control_drill import drill

    found = drill(_source(project, source), only=controls, progress=Progress())
    if as_json:
        emit_json({"controls": [one._asdict() for one in found]})
    else:
        emit_table(("control", "title", "outcome", "without", "what pytest said"), found)
    missed = [one for one in found if one.outcome != "noticed"]
    say(f"{len(found) - len(missed)} of {len(found)} controls are missed when they are away")
    if missed:
        raise click.exceptions.Exit(1)
