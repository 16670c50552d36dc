"""`minivess trace`: the check, the matrix and its pages, results and schemas."""

from __future__ import annotations

import gc
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.cli.trace import exchange, link_reviews
from minivess.cli.trace.tree_options import read_tree, results_option, source_of, source_option, traced
from minivess.foundation.implements import implements
from minivess.records.people.roles import Role

if TYPE_CHECKING:
    from minivess.records.items.trace_data import TraceData


@click.group()
def trace() -> None:
    """Requirements, risks, scenarios, results and code, linked and checked."""


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
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-031", "REQ-194")
def check(project: Path, source: Path | None, results: Path | None, cases: Path | None, as_json: bool) -> None:
    """Name every gap with its file and line; exit 1 when there is one.

    In a project its recorded results count, as they do for the matrix and the gates of a release.
    """
    from minivess.compliance.items.marks import reading_marks

    folder = source_of(project, source)
    with reading_marks(folder) as marks:  # begins while what makes a graph of them is imported
        from minivess.compliance.trace.justified_gaps import idle_justifications
        from minivess.foundation.clock import utc_now

        judge = None
        if cases is not None:
            from minivess.workflows.trace.statistical_criteria import judge_all, read_cases

            judge = partial(judge_all, cases=read_cases(cases))
        tree = read_tree(project, source, results, now=utc_now(), judge=judge, marks=marks)
    gc.freeze()  # all of it stays until the end, where nobody has to look through it again
    gaps = tree.gaps
    if as_json:
        emit_json(
            {"gaps": [{**one.gap.model_dump(mode="json"), "open": one.open, "remark": one.remark} for one in gaps]}
        )
    else:
        for one in gaps:
            gap, remark = one.gap, f" ({one.remark})" if one.remark else ""
            click.echo(f"{gap.source.path}:{gap.source.line}: {gap.kind}: {gap.message}{remark}")
    for idle in idle_justifications(tree.graph, [one.gap for one in gaps]):
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
    from minivess.compliance.site.trace_tables import terminal_view

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
    from minivess.compliance.site.writer import write_site

    pages = write_site(_view(project, source, results), folder)
    say(f"{len(pages)} files; open {pages[0]}")


def _view(project: Path, source: Path | None, results: Path | None) -> TraceData:
    """Everything that is known about a tree, as pages show it."""
    from minivess.foundation.clock import utc_now
    from minivess.workflows.trace.project_trace import pages_of

    now = utc_now()
    return pages_of(traced(project, source, results, now=now), now=now)


def _write_matrix(seen: TraceData, out: Path) -> None:
    from minivess.compliance.site.trace_tables import write_csv, write_xlsx
    from minivess.foundation.files import write_text_atomic

    if out.suffix == ".csv":
        write_csv(seen, out)
    elif out.suffix == ".xlsx":
        write_xlsx(seen, out)
    elif out.suffix == ".json":
        write_text_atomic(out, json.dumps(seen.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n")
    else:
        raise click.UsageError("the matrix can be written to .csv, .xlsx and .json")
    say(f"wrote {out}")


@trace.command()
@click.option(
    "--all", "everything", is_flag=True, help="Run every test of the tree: those of units and integration too."
)
@actor_option
@click.pass_obj
def run(project: Path, everything: bool, actor: str | None) -> None:
    """Run the scenarios of the source tree and record their results in the log."""
    from minivess.workflows.trace import verification_runs

    with services_of(project) as services:
        developer = signer_of(services, actor, Role.DEVELOPER)
        report = verification_runs.run_scenarios(services, developer, everything=everything)
    failed = [result for result in report.results if result.outcome != "passed"]
    click.echo(f"{len(report.results) - len(failed)} of {len(report.results)} passed")
    for result in failed:
        click.echo(f"{result.outcome}: {result.node}: {result.message}")
    if failed or not report.results:
        raise click.exceptions.Exit(1)


@trace.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def schemas(folder: Path) -> None:
    """Write JSON Schemas of the items into FOLDER, for editors."""
    from minivess.compliance.items.schemas import write_schemas

    for path in write_schemas(folder):
        click.echo(path)
