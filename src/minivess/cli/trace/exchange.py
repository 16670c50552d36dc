"""`minivess trace import|export|results`: items and results from other tools and for them."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, emit_json, json_option, say
from minivess.cli.trace.tree_options import source_option
from minivess.foundation.implements import implements
from minivess.workflows.trace.source_trees import source_of


@click.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="YAML that states which column, attribute or type is what; without it common names count.",
)
@click.option("--dry-run", is_flag=True, help="Name what would be written, and write nothing.")
@source_option
@json_option
@click.pass_obj
@implements("REQ-075")
def import_items(
    project: Path, *, file: Path, mapping: Path | None, dry_run: bool, source: Path | None, as_json: bool
) -> None:
    """Take items of another tool from FILE.

    ReqIF, CSV, XLSX, needs.json, StrictDoc, Doorstop, jamb, Markdown, RST or an FMEA. Each value that could not
    be taken
    is named in a line. Fields that an item lacks are left out of the written file and named: a person writes them.
    """
    from minivess.workflows.items.exchange import import_items as take_items

    found = take_items(source_of(project, source), file, mapping=mapping, dry_run=dry_run)
    if as_json:
        remarks = [{"severity": one.severity, "place": str(one.place), "message": one.message} for one in found.remarks]
        emit_json({"new": [one.id for one in found.new], "known": [one.id for one in found.known], "remarks": remarks})
    else:
        for one in found.remarks:
            click.echo(f"{one.severity}: {one}")
    lost = sum(one.severity == "lost" for one in found.remarks)
    wrote = "would be written" if dry_run else "written"
    say(
        f"{len(found.new)} item(s) {wrote} to {', '.join(found.files) or 'no file'}; {lost} value(s) could not be taken"
    )


@click.command("export", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@source_option
@json_option
@click.pass_obj
@implements("REQ-075")
def export(project: Path, file: Path, source: Path | None, as_json: bool) -> None:
    """Write all items to FILE for another tool.

    Formats: .csv, .tsv, .xlsx, .reqif, .json (needs.json) and .md.
    """
    from minivess.workflows.items.exchange import write_items

    count = write_items(source_of(project, source), file)
    emit(f"{count} item(s) written to {file}", {"items": count, "file": str(file)}, as_json=as_json)


@click.command("results", cls=Command)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--tester", required=True, help="Who ran the tests, and states that they ran on this tree.")
@source_option
@json_option
@click.pass_obj
@implements("REQ-075")
def results(project: Path, *, file: Path, out: Path, tester: str, source: Path | None, as_json: bool) -> None:
    """Take JUnit results of another runner from FILE into OUT.

    `trace check --results OUT` then counts them as results of this tree. A test counts for the ids in its name
    and properties (`REQ-001`).
    """
    from minivess.workflows.items.exchange import take_results

    found, report = take_results(source_of(project, source), file, out, tester=tester)
    remarks = [f"{one.severity}: {one}" for one in found.remarks]
    count = len(report.results)
    text = "\n".join([*remarks, f"{count} result(s) written to {out}"])
    emit(text, {"results": count, "file": str(out), "remarks": remarks}, as_json=as_json)
