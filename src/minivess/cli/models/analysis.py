"""`minivess model robustness` and `explain`: examine the model on cases that are not sealed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from minivess.cli.groups import LongCommand
from minivess.cli.rendering import emit_json, emit_table, json_option, say
from minivess.cli.session import reader_of

if TYPE_CHECKING:
    from minivess.records.evaluation.explanations import SanityCheck

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


@click.command(cls=LongCommand)
@click.argument("case")
@click.option("--class", "of_class", help="The class whose mask is explained. Needed where there are several.")
@click.option("--member", type=int, help="The seed of the member that is explained. Default: the first.")
@click.option("--layer", help="The layer of Grad-CAM++. Default: the last convolution with several maps.")
@json_option
@click.pass_obj
def explain(
    project: Path, *, case: str, of_class: str | None, member: int | None, layer: str | None, as_json: bool
) -> None:
    """Show what in CASE a member of the ensemble answers to.

    Integrated gradients and Grad-CAM++ of the patch with the largest predicted mask, each with a sanity check: the rank
    correlation with the same map of networks with random weights must be at most 0.2. Record and picture are written below
    evidence/evaluation/explanations. Needs `minivess[explain]`. No entry is added to the log.
    """
    from minivess.workflows.analysis import explanations as workflow

    with reader_of(project) as reader:
        explained = workflow.explain_case(reader, case, of_class=of_class, member=member, layer=layer)
    if as_json:
        emit_json(explained.record)
    else:
        rows = [
            (one.method, f"{one.check.correlation:.2f}", _sizes(one.check), _verdict(one.check), one.made)
            for one in explained.record.attributions
        ]
        emit_table(("method", "rank correlation", "of sizes", "sanity check", "made with"), rows)
    for name in explained.record.left_out:
        say(f"{name} has the same value in all voxels, so it is left out")
    if not all(one.check.passed for one in explained.record.attributions):
        say("a map that failed its sanity check shows the image and not what the network learned")
    say(f"see {explained.picture}")


def _sizes(check: SanityCheck) -> str:
    """The mean rank correlation of absolute values, of attributions that have a sign."""
    return f"{sum(map(abs, check.absolute)) / len(check.absolute):.2f}" if check.absolute else "-"


def _verdict(check: SanityCheck) -> str:
    return "passed" if check.passed else "failed"
