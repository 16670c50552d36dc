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
    """Write each measure with its mean and interval."""
    rows = [(name, f"{interval.mean:.3f}", interval.words()) for name, interval in record.aggregates.items()]
    base = record.baseline
    rows.append(("dice of the best threshold", f"{base.mean:.3f}", base.words()))
    recall = record.conformal_recall
    if recall is not None:
        rows.append(("recall of the conformal mask", f"{recall.mean:.3f}", recall.words()))
    emit_table((f"{len(record.cases)} sealed test cases", "mean", f"{record.certainty} interval"), rows)
