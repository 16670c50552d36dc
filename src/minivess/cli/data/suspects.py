"""`minivess data suspects`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.cli.session import reader_of

if TYPE_CHECKING:
    from minivess.records.evaluation.suspects import PredictorName


@click.command(cls=LongCommand)
@click.option(
    "--predictor",
    type=click.Choice(["cross-fitted", "model"]),
    default="cross-fitted",
    show_default=True,
    help="A simple classifier that learns from the other groups, or the exported model on cases it did not learn from.",
)
@json_option
@click.pass_obj
def suspects(project: Path, predictor: PredictorName, as_json: bool) -> None:
    """Rank the cases by how suspicious their masks are.

    Each mask is compared with what a predictor expects that has not seen the case. Look at the first tenth of the list. Before
    the split all cases are compared, afterwards those of the training and calibration parts. Writes data/suspects.html to
    read and data/suspects.json. No mask is changed and no entry is added to the log.
    """
    from minivess.workflows.analysis import suspects as workflow

    with reader_of(project) as reader:
        found = workflow.rank(reader, predictor=predictor)
    if as_json:
        emit_json(found.record)
    else:
        rows = [
            (place, one.case, f"{one.quality:.3f}", f"{one.disagreement:.2f}", workflow.where_in_words(one))
            for place, one in enumerate(found.record.cases, 1)
        ]
        emit_table(("rank", "case", "quality", "disagreement", "where"), rows)
    say(f"the most suspicious first; read {found.page}")
