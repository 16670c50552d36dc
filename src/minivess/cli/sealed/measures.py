"""The measures of an evaluation as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import emit_json, emit_table

if TYPE_CHECKING:
    from minivess.records.evaluation.evaluation import EvaluationRecord


def emit_evaluation(record: EvaluationRecord, *, as_json: bool) -> None:
    """Write an evaluation: what was measured and each measure with its interval, or JSON."""
    if as_json:
        emit_json(record)
        return
    click.echo(f"model {record.model}, request {record.request}, look {record.look}")
    emit_measures(record)


def emit_measures(record: EvaluationRecord) -> None:
    """Write each measure with its mean, its interval, and how the interval is made."""
    from minivess.records.evaluation.measures import name_in

    shown = {**record.aggregates, "dice of the best threshold": record.baseline}
    if record.conformal_recall is not None:
        shown["recall of the conformal mask"] = record.conformal_recall
    rows = [(name_in(name, record.unit), f"{one.mean:.3f}", one.words(), one.basis) for name, one in shown.items()]
    cases = f"{len(record.cases)} sealed test cases"
    emit_table((cases, "mean", f"{record.certainty} interval", "how the interval is made"), rows)
    beside = [f"{name}: beside it {one.beside_in_words()}" for name, one in shown.items() if one.beside is not None]
    for line in beside:
        click.echo(line)
