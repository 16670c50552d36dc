"""`minivess release diff`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.changes.difference import Change, ComparedRelease, ReleaseDifference

_LONGEST = 100
"""Characters of a value in a terminal."""


@click.command(cls=Command, name="diff")
@click.argument("old", type=click.Path(path_type=Path, exists=True))
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Also write the differences as a page.")
@click.option("--trust", type=click.Path(path_type=Path, dir_okay=False), help="Keys to verify both packs with.")
@json_option
@implements("REQ-570", "REQ-572")
def diff(old: Path, new: Path, html: Path | None, trust: Path | None, as_json: bool) -> None:
    """Show what differs between the packs OLD and NEW.

    Device, requirements, risks, results, gates, model, data, code, SOUP, people and measures are compared. Measures have
    paired intervals where both models were evaluated on the same sealed cases. Both packs are verified first; the
    verdicts are part of the output. A pack can be compared before it is signed.
    """
    from minivess.workflows.release.changes.difference import compare_packs, write_page

    found, demo = compare_packs(old, new, trust=trust)
    if html is not None:
        write_page(found, html, demo=demo)
        say(f"wrote {html}")
    if as_json:
        emit_json(found)
    else:
        _show(found)


def _show(found: ReleaseDifference) -> None:
    for name, side in (("old", found.old), ("new", found.new)):
        click.echo(f"{name}: {_named(side)}")
    click.echo()
    emit_table(
        ("part", "compared", "added", "removed", "changed"),
        [
            (part.title, part.compared, part.count("added"), part.count("removed"), part.count("changed"))
            if part.not_compared is None
            else (part.title, "not compared", "", "", "")
            for part in found.sections
        ],
    )
    click.echo()
    for line in _measures(found):
        click.echo(line)
    for part in found.changed:
        click.echo(f"\n{part.title}")
        if part.not_compared is not None:
            click.echo(f"  not compared: {part.not_compared}")
        for change in part.changes:
            for line in _lines(change):
                click.echo(f"  {line}")


def _named(side: ComparedRelease) -> str:
    verdict = "" if side.verdict is None else f", {side.verdict}"
    return f"{side.device} {side.version}, pack {side.pack}, log {side.log} with {side.entries} entries{verdict}"


def _lines(change: Change) -> Iterator[str]:
    marks = {"added": "+", "removed": "-", "changed": "~"}
    title = "" if change.title == change.id else f" {change.title}"
    yield f"{marks[change.kind]} {change.id}{title}"
    if change.kind == "changed":
        for one in change.fields:
            yield f"    {one.field}: {_short(one.old)} → {_short(one.new)}"


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


@implements("REQ-571")
def _measures(found: ReleaseDifference) -> Iterator[str]:
    from minivess.records.evaluation.measures import heading_of, name_in

    paired, unit = found.measures.paired, found.measures.unit
    for one in found.measures.values:
        place = "" if one.of_class is None else f", {one.of_class}"
        values = ["none" if item is None else f"{item.mean:.4f} ({item.words(4)})" for item in (one.old, one.new)]
        yield f"{heading_of(one.measure, unit)}{place}: {' → '.join(values)}"
    if paired is None:
        yield f"no paired comparison: {found.measures.not_paired}"
        return
    yield f"\npaired, new - old, on the same {paired.cases} cases of {paired.groups} groups:"
    for row in paired.measures:
        if row.paired is None or row.p_holm is None:
            continue
        place = "" if row.of_class is None else f", {row.of_class}"
        judged = row.non_inferiority
        verdict = "" if judged is None else f"; {judged.verdict} with a margin of {judged.margin:g}"
        difference = row.paired.difference
        yield (
            f"  {name_in(row.measure, paired.unit)}{place}: {difference.mean:+.4f} ({difference.words(4)}), "
            f"p (Holm) {row.p_holm:.4f}{verdict}"
        )
