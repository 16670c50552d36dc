"""`minivess trace` and `minivess risk`."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, emit_table, say
from minivess.cli.session import actor_option, services_of, signer_of
from minivess.foundation.implements import implements
from minivess.foundation.paths import PROJECT_FILE
from minivess.records.identity import Role

source_option = click.option(
    "--source",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=None,
    help="Tree with requirements/, risk/, features/ and src/. Default: the project's `source`, or this folder.",
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
@click.option(
    "--results",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Results of `trace run`: with them, untested means not passed.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-031")
def check(project: Path, source: Path | None, results: Path | None, as_json: bool) -> None:
    """Name every gap with its file and line; exit 1 when there is one."""
    from minivess.compliance.traceability.graph import TraceGraph
    from minivess.compliance.traceability.reports import read_report

    graph = TraceGraph.load(_source(project, source), None if results is None else read_report(results))
    gaps = graph.gaps()
    if as_json:
        emit_json(gaps)
    else:
        for gap in gaps:
            click.echo(f"{gap.source.path}:{gap.source.line}: {gap.kind}: {gap.message}")
    say(f"{len(gaps)} gap(s)" if gaps else "no gap: every link holds")
    if gaps:
        raise click.exceptions.Exit(1)


@trace.command()
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
def matrix(project: Path, source: Path | None, as_json: bool) -> None:
    """The traceability matrix in the terminal."""
    from minivess.compliance.traceability.graph import TraceGraph

    graph = TraceGraph.load(_source(project, source))
    if as_json:
        emit_json(graph.to_json())
        return
    emit_table(("requirement", "title", "needs", "scenarios and tests", "code"), graph.rows())


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
