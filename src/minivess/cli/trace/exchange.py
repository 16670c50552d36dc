"""`minivess trace import|export|results`: items and results from other tools and for them."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.rendering import emit_json, say
from minivess.cli.trace.tree_options import source_of, source_option
from minivess.foundation.implements import implements


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="YAML that says which column, attribute or type is what; without it common names count.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@source_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_obj
@implements("REQ-075")
def import_items(
    project: Path, *, file: Path, mapping: Path | None, dry_run: bool, source: Path | None, as_json: bool
) -> None:
    """Take items from FILE: ReqIF, CSV, XLSX, needs.json, StrictDoc, Doorstop, jamb, Markdown, RST or an FMEA.

    Whatever could not be taken is said, line by line. Fields that an item lacks are left out of the written file and named:
    a person writes them.
    """
    from minivess.compliance.exchange.importing import import_file
    from minivess.compliance.items.items import load_items
    from minivess.foundation.errors import UsageError
    from minivess.foundation.files import write_text_atomic
    from minivess.records.items.items import Requirement

    tree = source_of(project, source)
    items = load_items(tree)
    origins = {one.origin: one.id for one in items.of(Requirement).values() if one.origin}
    found = import_file(file, mapping=mapping, taken=frozenset(items.by_id), known_origins=origins)
    there = [name for name in found.files if (tree / name).exists()]
    if there and not dry_run:
        raise UsageError(f"{there[0]} is there already", hint="move its items to where they belong, or rename it")
    if not dry_run:
        for name, text in found.files.items():
            write_text_atomic(tree / name, text)
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


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@source_option
@click.pass_obj
@implements("REQ-075")
def export(project: Path, file: Path, source: Path | None) -> None:
    """Write all items to FILE: .csv, .tsv, .xlsx, .reqif, .json (needs.json) or .md."""
    from minivess.compliance.exchange.exporting import export_items
    from minivess.compliance.items.items import load_items

    items = load_items(source_of(project, source))
    export_items(items.all(), file)
    say(f"{len(items.by_id)} item(s) written to {file}")


@click.command("results")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--tester", required=True, help="Who ran the tests, and says that it was on this tree.")
@source_option
@click.pass_obj
@implements("REQ-075")
def results(project: Path, file: Path, out: Path, tester: str, source: Path | None) -> None:
    """Take the JUnit results FILE of any runner as results of this tree, into OUT, for `trace check --results OUT`.

    A test counts for the ids in its name and properties (`REQ-001`).
    """
    from minivess.compliance.exchange.formats.junit import read_junit
    from minivess.foundation.files import write_text_atomic
    from minivess.workflows.trace.foreign_results import report_of

    found = read_junit(file)
    report = report_of(found, source_of(project, source), tester=tester)
    write_text_atomic(out, report.model_dump_json(indent=1) + "\n")
    for one in found.remarks:
        click.echo(f"{one.severity}: {one}")
    say(f"{len(report.results)} result(s) written to {out}")
