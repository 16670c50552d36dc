"""Items and results from other tools, and items for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from minivess.compliance.exchange.differences import Differences, differences
from minivess.compliance.exchange.exporting import export_items
from minivess.compliance.exchange.foreign_items import Remark
from minivess.compliance.exchange.formats.junit import ForeignResults, read_junit
from minivess.compliance.exchange.importing import Imported, import_file
from minivess.compliance.items.items import load_items
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.records.items.kinds import KINDS
from minivess.records.items.trace import ResultReport
from minivess.workflows.trace.foreign_results import report_of


@dataclass(frozen=True)
class Import:
    """What an import gives, and how it differs from what was imported before."""

    found: Imported
    differences: Differences


@implements("REQ-075", "REQ-259")
def import_items(
    tree: Path, file: Path, *, mapping: Path | None = None, kind: str | None = None, dry_run: bool = False
) -> Import:
    """Take items of another tool into a source tree; items that are known are compared and not written.

    Args:
        tree: the source tree.
        file: what the other tool wrote.
        mapping: YAML that states which column, attribute or type is what.
        kind: prefix of the kind of rows whose kind nothing states.
        dry_run: write nothing.

    Raises:
        UsageError: the kind of a row is stated nowhere, or nothing tells what the file is.
        InputError: the file or the mapping is malformed.
    """
    items = load_items(tree)
    origins = {one.origin: one.id for one in items.all() if one.origin}
    found = import_file(file, mapping=mapping, taken=frozenset(items.by_id), known_origins=origins, kind=kind)
    compared = differences(found, items.by_id)
    named = replace(found, name=_free_name(tree, found.name))
    if not dry_run:
        for name, text in named.files.items():
            write_text_atomic(tree / name, text)
    return Import(named, compared)


def _free_name(tree: Path, name: str) -> str:
    """A name of files that are not there yet: those of an earlier import of the same file are kept."""
    free, number = name, 2
    while any((tree / kind.folder / f"{free}.yaml").exists() for kind in KINDS):
        free = f"{name}-{number}"
        number += 1
    return free


@implements("REQ-075")
def write_items(tree: Path, file: Path) -> tuple[int, tuple[Remark, ...]]:
    """Write all items of a source tree to a file of another tool; returns their number, and what was written otherwise.

    Raises:
        UsageError: no format has this suffix.
    """
    items = load_items(tree)
    remarks = export_items(items.all(), file)
    return len(items.by_id), remarks


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
