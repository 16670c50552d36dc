"""`minivess trace`: the check, the matrix and its pages, results and schemas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minivess.cli.groups import Group
from minivess.cli.rendering import emit, emit_json, emit_table, json_option, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.cli.trace import exchange, link_reviews
from minivess.cli.trace.tree_options import results_option, source_option
from minivess.foundation.implements import implements
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.items.trace_data import TraceData


@click.group(
    cls=Group,
    sections={
        "Check and show": ("check", "matrix", "site", "standards"),
        "Run and take results": ("run", "results"),
        "Change": ("diff", "impact", "baseline"),
        "Review and approve": ("review", "approve", "attest"),
        "Exchange": ("import", "export", "schemas"),
    },
)
def trace() -> None:
    """Check and show requirements, risks, tests and code."""


for command in (
    *(
        link_reviews.review,
        link_reviews.approve,
        link_reviews.baseline,
        link_reviews.diff,
        link_reviews.impact,
        link_reviews.standards,
        link_reviews.attest,
    ),
    *(exchange.import_items, exchange.export, exchange.results),
):
    trace.add_command(command)


@trace.command()
@source_option
@results_option
@click.option(
    "--cases",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of cases (evaluation.json or a CSV): judge the statistical criteria by them.",
)
@json_option
@click.pass_obj
@implements("REQ-031", "REQ-194")
def check(project: Path, source: Path | None, results: Path | None, cases: Path | None, as_json: bool) -> None:
    """Name every gap with its file and line; exit 1 when there is one.

    In a project, the results that `trace run` recorded count, as for the matrix and the gates of a release.
    """
    from minivess.workflows.trace.check import check_tree

    found = check_tree(project, source, results=results, cases=cases)
    gaps = found.gaps
    if as_json:
        emit_json(
            {
                "gaps": [{**one.gap.model_dump(mode="json"), "open": one.open, "remark": one.remark} for one in gaps],
                "checked": found.checked,
                "criteria": [one.model_dump(mode="json") for one in found.criteria],
            }
        )
    else:
        for judged in found.criteria:
            for one in judged.strata:
                click.echo(f"{judged.criterion}: {one.words}")
        for gap_found in gaps:
            gap, remark = gap_found.gap, f" ({gap_found.remark})" if gap_found.remark else ""
            click.echo(f"{gap.source.path}:{gap.source.line}: {gap.kind}: {gap.message}{remark}")
    for idle in found.idle:
        say(f"{idle.source.path}:{idle.source.line}: there is no gap `{idle.subject}` to justify (any more)")
    still_open = found.still_open
    justified = f", {len(gaps) - still_open} justified" if len(gaps) > still_open else ""
    among = ", ".join(f"{count} {name}" for name, count in found.checked.items())
    say(f"{still_open} gap(s){justified}, among {among}" if gaps else f"no gap: every link holds, among {among}")
    if still_open:
        raise click.exceptions.Exit(1)


@trace.command()
@source_option
@results_option
@click.option("--kind", help="Only items of a kind: `software-requirement`, or the beginning of its ids, `REQ`.")
@click.option("--status", help="Only items of a status, for example `failed`.")
@click.option("--suspect", is_flag=True, help="Only items with a suspect link.")
@click.option("--search", default="", help="Only items that contain these words.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the whole matrix to a .csv, .xlsx or .json file.",
)
@json_option
@click.pass_obj
@implements("REQ-070")
def matrix(project: Path, /, **wishes: Any) -> None:
    """Show the traceability matrix, or write it to a file."""
    from minivess.workflows.trace.matrix_pages import terminal_view, write_matrix

    source, results, out, as_json = (wishes.pop(name) for name in ("source", "results", "out", "as_json"))
    seen = _view(project, source, results)
    if out is not None:
        write_matrix(seen, out)
        say(f"wrote {out}")
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
@json_option
@click.pass_obj
@implements("REQ-070")
def site(project: Path, folder: Path, source: Path | None, results: Path | None, as_json: bool) -> None:
    """Write the matrix as pages into FOLDER, for any browser."""
    from minivess.workflows.trace.matrix_pages import write_pages

    pages = write_pages(_view(project, source, results), folder)
    emit(f"{len(pages)} files; open {pages[0]}", {"files": len(pages), "start": str(pages[0])}, as_json=as_json)


def _view(project: Path, source: Path | None, results: Path | None) -> TraceData:
    """Everything that is known about a tree, as pages show it."""
    from minivess.foundation.clock import utc_now
    from minivess.workflows.trace.project_trace import pages_of
    from minivess.workflows.trace.source_trees import traced

    now = utc_now()
    return pages_of(traced(project, source, results, now=now), now=now)


@trace.command()
@click.option(
    "--all", "everything", is_flag=True, help="Run every test of the tree: those of units and integration too."
)
@click.option("--coverage", is_flag=True, help="Measure which lines the tests run, with pytest-cov.")
@actor_option
@json_option
@click.pass_obj
def run(project: Path, everything: bool, coverage: bool, actor: str | None, as_json: bool) -> None:
    """Run the scenarios of the source tree and record their results."""
    from minivess.workflows.trace import verification_runs

    with services_of(project) as services:
        developer = signer_of(services, actor, Role.DEVELOPER)
        report = verification_runs.run_scenarios(services, developer, everything=everything, coverage=coverage)
    failed = [result for result in report.results if result.outcome != "passed"]
    passed = len(report.results) - len(failed)
    lines = [f"{result.outcome}: {result.node}: {result.message}" for result in failed]
    rows = [{"outcome": one.outcome, "node": one.node, "message": one.message} for one in failed]
    emit(
        "\n".join([f"{passed} of {len(report.results)} passed", *lines]),
        {"passed": passed, "results": len(report.results), "failed": rows},
        as_json=as_json,
    )
    if failed or not report.results:
        raise click.exceptions.Exit(1)


@trace.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
def schemas(folder: Path, as_json: bool) -> None:
    """Write JSON Schemas of the items into FOLDER, for editors."""
    from minivess.workflows.items.schemas import write_item_schemas

    made = [str(path) for path in write_item_schemas(folder)]
    emit("\n".join(made), {"files": made}, as_json=as_json)
