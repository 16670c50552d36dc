"""The measures of an evaluation as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import emit_json, emit_table
from minivess.foundation.implements import implements
from minivess.records.evaluation.parts import NOT_A_TEST

if TYPE_CHECKING:
    from minivess.records.evaluation.evaluation import AnalysisPlan, EvaluationRecord
    from minivess.records.evaluation.statistics.summaries import Interval


_MOST_SUBGROUPS = 12


def emit_evaluation(record: EvaluationRecord, plan: AnalysisPlan, *, as_json: bool) -> None:
    """Write an evaluation: what was measured, each measure with its interval, and the subgroups; or JSON."""
    if as_json:
        emit_json(record)
        return
    if record.part is None:
        click.echo(f"model {record.model}, request {record.request}, look {record.look}")
    else:
        click.echo(f"model {record.model}, {record.part} part")
        click.echo(f"{NOT_A_TEST} {record.reuse}")
    emit_measures(record)
    emit_subgroups(record, plan)


def emit_measures(record: EvaluationRecord) -> None:
    """Write each measure of each class with its mean, its interval, and how the interval is made."""
    from minivess.records.evaluation.measures import name_in

    shown: dict[str, Interval] = {}
    for of_class, figures in record.by_class.items():
        held = {**figures.aggregates, "dice of the best threshold": figures.baseline}
        if figures.conformal_recall is not None:
            held["recall of the conformal mask"] = figures.conformal_recall
        named = {name: name_in(name, record.unit) for name in held}
        shown |= {named[name] if of_class is None else f"{of_class}: {named[name]}": one for name, one in held.items()}
    rows = [(name, f"{one.mean:.3f}", one.words(), one.basis) for name, one in shown.items()]
    cases = f"{len(record.tested)} {record.part or 'sealed test'} cases"
    emit_table((cases, "mean", f"{record.certainty} interval", "how the interval is made"), rows)
    beside = [f"{name}: beside it {one.beside_in_words()}" for name, one in shown.items() if one.beside is not None]
    for line in beside:
        click.echo(line)


@implements("REQ-418", "REQ-420")
def emit_subgroups(record: EvaluationRecord, plan: AnalysisPlan) -> None:
    """Write the subgroups by the first measure that a criterion limits, those with the worst mean first."""
    from minivess.records.evaluation.subgroups.sections import cells_of, first_measure

    found = first_measure(record, plan)
    shown = [one for one in found.subgroups if one.rows]
    for table in shown:
        header, *rows = cells_of(table, record)
        click.echo()
        emit_table(header, rows[:_MOST_SUBGROUPS])
        if len(rows) > _MOST_SUBGROUPS:
            click.echo(f"and {len(rows) - _MOST_SUBGROUPS} more subgroups")
    if shown:
        click.echo(shown[0].basis)
    for one in found.readers:
        click.echo(one.words)
