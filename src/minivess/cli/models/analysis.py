"""`minivess model robustness`: examines the exported model on cases that are not sealed."""

from __future__ import annotations

from pathlib import Path

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.cli.session import reader_of

part_option = click.option(
    "--part",
    type=click.Choice(["calibration", "validation"]),
    default="calibration",
    show_default=True,
    help="The cases: the calibration part, or those of the training part that no run learned from.",
)


@click.command(cls=LongCommand)
@part_option
@click.option("--perturbation", "perturbations", multiple=True, help="A perturbation; can be repeated. Default: all.")
@click.option("--cases", type=click.IntRange(1), help="How many cases are used at most. Default: all of the part.")
@json_option
@click.pass_obj
def robustness(project: Path, *, part: str, perturbations: tuple[str, ...], cases: int | None, as_json: bool) -> None:
    """Measure the exported model on worse images than usual.

    Each case is segmented unchanged and at each level of noise, blur, less contrast, dim structures, other voxel sizes,
    motion, a cropped field of view and missing slices. Printed is the level from which a criterion or a gate fails. The
    record and a page are written below evidence/evaluation/robustness. No entry is added to the log, and no gate is judged
    by the figures. The sealed test set is not read.
    """
    from minivess.workflows.analysis import robustness as workflow

    with reader_of(project) as reader:
        measured = workflow.measure(reader, part=part, perturbations=perturbations, most=cases)
    if as_json:
        emit_json(measured.record)
    else:
        emit_table(("perturbation", "criterion", "verdict", "level"), workflow.rows_of(measured.record))
    say(f"figures of {part} cases, not of the sealed test set; read {measured.page}")
