"""A comparison of two models as tables and sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from minivess.cli.rendering import emit_table
from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from minivess.records.evaluation.comparison.evaluations import Comparison, MeasureComparison
    from minivess.records.evaluation.comparison.paired import NonInferiority

_WIDTH = 110


@implements("REQ-396")
def show_comparison(found: Comparison) -> None:
    """Write what was compared, a table with a row for each measure and class, and what follows in sentences."""
    from minivess.records.evaluation.parts import NOT_A_TEST, PART_NOTES
    from minivess.records.evaluation.statistics.summaries import percent

    for name, one in (("A", found.first), ("B", found.second)):
        where = "" if one.entry is None else f", look {one.look}, log entry {one.entry}"
        click.echo(f"{name}: model {one.model}, request {one.request}{where}, file {one.file}")
    if found.part is not None:
        click.echo(f"{NOT_A_TEST} {PART_NOTES[found.part]}")
    counted = f"{found.cases} {found.part or 'sealed test'} cases, {found.groups} independent groups"
    click.echo(f"{counted}, data {found.data}, seed {found.seed}")
    click.echo()
    header = (
        "measure",
        "A",
        "B",
        "B - A",
        f"{percent(found.level)} interval",
        "p",
        "p (Holm)",
        "B better in",
        "groups, cases",
    )
    emit_table(header, [_row(found, one) for one in found.measures])
    click.echo()
    for sentence in sentences_of(found):
        click.echo(textwrap.fill(sentence, _WIDTH, subsequent_indent="  "))


def _named(found: Comparison, measure: str, of_class: str | None) -> str:
    from minivess.records.evaluation.measures import name_in

    name = name_in(measure, found.unit)
    return name if of_class is None else f"{of_class}: {name}"


def _higher_is_better(measure: str) -> bool:
    from minivess.records.evaluation.measures import measure_of

    row = measure_of(measure)
    return row is None or row.higher_is_better


def _row(found: Comparison, one: MeasureComparison) -> tuple[str, ...]:
    name = _named(found, one.measure, one.of_class)
    paired = one.paired
    if paired is None or one.p_holm is None:
        return (name, *["–"] * 8)
    interval = paired.difference
    groups = interval.groups or 0
    return (
        name,
        f"{paired.first:.4f}",
        f"{paired.second:.4f}",
        f"{interval.mean:+.4f}",
        interval.words(4),
        f"{paired.p:.4f}",
        f"{one.p_holm:.4f}",
        f"{paired.higher if _higher_is_better(one.measure) else paired.lower} of {groups}",
        f"{groups}, {one.cases}",
    )


@implements("REQ-317")
def _origin(found: Comparison, judged: NonInferiority) -> str:
    """Whether a margin was registered before the test set was opened, for people."""
    if judged.registered is not None:
        return f"registered in log entry {judged.registered}, before the look"
    return "not registered" if found.part is None else "stated for this comparison"


@implements("REQ-391", "REQ-396")
def sentences_of(found: Comparison) -> Iterator[str]:
    """What follows from a comparison: differences, non-inferiority, sample sizes, and how each is made."""
    from minivess.records.evaluation.comparison.evaluations import unregistered_margins
    from minivess.records.evaluation.measures import name_in

    alpha = 1 - found.level
    tests = sum(one.paired is not None for one in found.measures)
    for one in found.measures:
        name = _named(found, one.measure, one.of_class)
        if one.left_out:
            names = ", ".join(one.left_out)
            yield f"{name}: {len(one.left_out)} of {found.cases} cases left out, where it is undefined: {names}."
        if one.paired is None or one.p_holm is None:
            continue
        if one.p_holm < alpha:
            better = (one.paired.difference.mean > 0) == _higher_is_better(one.measure)
            verdict = "better" if better else "worse"
            yield f"{name}: B is {verdict} (p {one.p_holm:.4f} after Holm's correction, below {alpha:.4g})."
        if one.non_inferiority is not None:
            judged = one.non_inferiority
            words = {
                "non-inferior": "B is non-inferior to A",
                "inferior": "B is inferior to A by more than the margin",
                "not shown": "non-inferiority of B is not shown",
            }[judged.verdict]
            yield f"{name}: {words}, with a margin of {judged.margin:g} ({_origin(found, judged)}): {judged.why}."
        if one.needed is not None:
            margin = one.non_inferiority
            claim = f"this difference in {name}" if margin is None else f"a loss in {name} below {margin.margin:g}"
            yield one.needed.sentence(claim, digits=4)
        yield f"{name}: interval by {one.paired.difference.basis}."
    for failed in found.failures:
        place = "" if failed.of_class is None else f", class {failed.of_class}"
        yield (
            f"Failed groups{place} (a case with a Dice below {failed.below:g}): {failed.both} in A and B, "
            f"{failed.first_only} in A alone, {failed.second_only} in B alone, of {found.groups}."
        )
    for goal in found.goals:
        side = "at least" if goal.needed.at_least else "at most"
        model = "A" if goal.model == "first" else "B"
        claim = f"{name_in(goal.measure, found.unit)} of {side} {goal.needed.limit:g}"
        of_class = "" if goal.of_class is None else f", class {goal.of_class}"
        yield f"{model}{of_class}: {goal.needed.sentence(claim)}"
    for exact, smallest in sorted({(one.paired.exact, one.paired.smallest_p) for one in found.measures if one.paired}):
        how = "over all signs" if exact else "over drawn signs"
        said = f"p: two-sided, by permutation of the signs of the group differences, {how}; corrected for {tests} tests (Holm)."
        if smallest * tests >= alpha:
            said += (
                f" So few groups give no p below {smallest:.4g}, {min(1.0, smallest * tests):.4g} after the correction: no "
                "difference can be shown with them."
            )
        yield said
    if loose := unregistered_margins(found):
        yield (
            f"The margin of {', '.join(loose)} was stated for this comparison. No log entry shows that it was "
            "stated before the evaluations, so the answer is exploratory: it supports no claim of non-inferiority."
        )
    if found.not_compared:
        yield f"Only one evaluation has {', '.join(found.not_compared)}."
