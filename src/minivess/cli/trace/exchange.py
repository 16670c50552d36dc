"""`minivess trace import|export|results`: items and results from other tools and for them."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit, json_option, say
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
@click.option(
    "--kind",
    metavar="PREFIX",
    help="Kind of the rows whose kind nothing in the file states: UN, SYS, REQ, HAZ and so on.",
)
@click.option("--dry-run", is_flag=True, help="Name what would be written, and write nothing.")
@source_option
@json_option
@click.pass_context
@implements("REQ-075", "REQ-258", "REQ-259")
def import_items(
    context: click.Context,
    *,
    file: Path,
    mapping: Path | None,
    kind: str | None,
    dry_run: bool,
    source: Path | None,
    as_json: bool,
) -> None:
    """Take items of another tool from FILE.

    ReqIF, CSV, XLSX, needs.json, StrictDoc, Doorstop, jamb, Markdown, RST or an FMEA. The kind of each row must be
    stated: in the file, in the mapping file or by --kind. Each value that could not be taken, or was taken in another
    form, is named in a line; --json has the whole values. Fields that an item lacks are left out of the written file
    and named: a person writes them. When a file is imported again, new items are written, and changed and removed ones
    are named and not written. Exit status 1: the file gave no item.
    """
    from minivess.workflows.items.exchange import import_items as take_items
    from minivess.workflows.items.import_report import json_of, lines_of, summary_of

    made = take_items(source_of(context.obj, source), file, mapping=mapping, kind=kind, dry_run=dry_run)
    emit("\n".join(lines_of(made)) or "nothing to report", json_of(made), as_json=as_json)
    say(summary_of(made, dry_run=dry_run))
    if not made.found.items:
        say(f"{file.name} gave no item")
        context.exit(1)


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
    from minivess.workflows.items.import_report import remark_of

    count, remarks = write_items(source_of(project, source), file)
    text = "\n".join([*(f"{one.severity}: {one}" for one in remarks), f"{count} item(s) written to {file}"])
    told = [remark_of(one) for one in remarks]
    emit(text, {"items": count, "file": str(file), "remarks": told}, as_json=as_json)


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
