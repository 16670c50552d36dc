"""`minivess release export`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from minivess.cli.groups import Command
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.foundation.implements import implements
from minivess.records.device.filing_index import Filing, IndexState

_WIDE = 60
"""Characters of a reason in the table; the index has all of it."""


@click.command("export", cls=Command)
@click.option("--for", "filing", type=click.Choice(get_args(Filing)), required=True, help="Which filing.")
@click.argument("pack", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keys that you got by another way than the pack. Without them a pack is checked against its own keys.",
)
@json_option
@implements("REQ-592")
def export(filing: Filing, pack: Path, out: Path, trust: Path | None, as_json: bool) -> None:
    """Index PACK for a filing, clause by clause, in the folder OUT.

    fda: eSTAR and QMSR. eu: MDR Annexes I to III and AI Act Annex IV. part11: 21 CFR Part 11. PACK is verified first; one
    that fails a check is refused. OUT gets index.html, index.json and index.csv. Each clause is met in the pack, your own
    process, or not met with the reason.
    """
    from minivess.workflows.release import filing_export as workflow

    index = workflow.export_filing(filing, pack, out, trust=trust)
    if as_json:
        emit_json(index)
    else:
        rows = [(one.clause, one.label, one.state, one.reason[:_WIDE]) for one in index.rows]
        emit_table(("clause", "asks for", "state", "not met because"), rows)
    counts = ", ".join(f"{index.number(state)} {state}" for state in get_args(IndexState))
    say(f"{len(index.rows)} clauses: {counts}; read {out / workflow.PAGE}")
