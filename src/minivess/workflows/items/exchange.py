"""Items and results from other tools, and items for them."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.exchange.exporting import export_items
from minivess.compliance.exchange.formats.junit import ForeignResults, read_junit
from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import load_items
from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.items.items import Requirement
from minivess.records.items.trace import ResultReport
from minivess.workflows.trace.foreign_results import report_of


@implements("REQ-075")
def import_items(tree: Path, file: Path, *, mapping: Path | None = None, dry_run: bool = False) -> Imported:
    """Take items of another tool into a source tree.

    Args:
        tree: the source tree.
        file: what the other tool wrote.
        mapping: YAML that states which column, attribute or type is what.
        dry_run: write nothing.

    Raises:
        UsageError: a file that would be written exists.
        InputError: the file or the mapping is malformed.
    """
    items = load_items(tree)
    origins = {one.origin: one.id for one in items.of(Requirement).values() if one.origin}
    found = import_file(file, mapping=mapping, taken=frozenset(items.by_id), known_origins=origins)
    if dry_run:
        return found
    for name in found.files:
        if (tree / name).exists():
            raise UsageError(f"{name} is there already", hint="move its items to where they belong, or rename it")
    for name, text in found.files.items():
        write_text_atomic(tree / name, text)
    return found


@implements("REQ-075")
def write_items(tree: Path, file: Path) -> int:
    """Write all items of a source tree to a file of another tool; returns their number.

    Raises:
        UsageError: no format has this suffix.
    """
    items = load_items(tree)
    export_items(items.all(), file)
    return len(items.by_id)


@implements("REQ-075")
def take_results(tree: Path, file: Path, out: Path, *, tester: str) -> tuple[ForeignResults, ResultReport]:
    """Write the JUnit results of any runner as results of a source tree.

    Args:
        tree: the source tree.
        file: JUnit XML.
        out: where the results are written.
        tester: who ran the tests on this tree.

    Returns:
        What the file holds, and the results that were written.

    Raises:
        InputError: the file is malformed.
        UsageError: the tester is not named in one line.
    """
    found = read_junit(file)
    report = report_of(found, tree, tester=tester)
    write_text_atomic(out, report.model_dump_json(indent=1) + "\n")
    return found, report
