"""What a report says at its top: a verdict, and a few sentences that a clinician reads in a minute.

Every figure follows from the record and the registered plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from minivess.foundation.implements import implements
from minivess.ml.evaluation.report.counted import (
    counted_rows,
    found_share,
    interval_of,
    mean_dice,
    right_share,
    rows_of_class,
)
from minivess.ml.evaluation.report.facts import ReportFacts
from minivess.ml.evaluation.report.strata import Strata
from minivess.records.evaluation.acceptance_criteria import Judgement, judge
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import DICE, FAILURES, OVER_BASELINE
from minivess.records.evaluation.statistics.summaries import FEW_GROUPS, METHODS, ClassFigures, Interval, percent
from minivess.records.evaluation.subgroups.gaps import FEWEST_GROUPS

_COVERS = 0.92
"""Simulated coverage below which it is stated beside the interval."""


@dataclass(frozen=True)
class Verdict:
    """How the evaluation came out."""

    state: Literal["passed", "failed", "none"]
    title: str
    text: str
    judged: tuple[Judgement, ...]


@dataclass(frozen=True)
class Answer:
    """A question of a reader, and what the record answers."""

    question: str
    sentences: tuple[str, ...]


@implements("REQ-402")
def verdict_of(record: EvaluationRecord, facts: ReportFacts) -> Verdict:
    """The verdict against the registered criteria. Figures of another part than the test part are not judged."""
    if record.part is not None:
        return Verdict("none", "Not judged", "Acceptance criteria are for the sealed test set only.", ())
    if not facts.plan.criteria:
        return Verdict("none", "Not judged", "No acceptance criteria were registered.", ())
    judged = tuple(judge(record, facts.plan.criteria))
    missed = [one for one in judged if not one.met]
    if not missed:
        all_of = (
            "the registered acceptance criterion"
            if len(judged) == 1
            else f"all {len(judged)} registered acceptance criteria"
        )
        return Verdict("passed", "Acceptance criteria met", f"The model meets {all_of}.", judged)
    text = f"The model misses {len(missed)} of {len(judged)} registered acceptance criteria."
    return Verdict("failed", "Acceptance criteria not met", text, judged)


@implements("REQ-402")
def summary_of(record: EvaluationRecord, facts: ReportFacts, strata: Strata) -> list[Answer]:
    """The answers to a reader's first questions."""
    named = [
        ("" if of_class is None else f"{of_class}: ", of_class, figures)
        for of_class, figures in record.by_class.items()
    ]
    good = [sentence for one in named for sentence in _how_good(record, facts, *one)]
    answers = [
        Answer("How good are the masks?", tuple(good)),
        Answer("Where does the model fail?", tuple(_where_it_fails(record, strata))),
        Answer("Is it better than a simple method?", tuple(_against_threshold(place, one) for place, _, one in named)),
        Answer(
            "Can its probabilities be trusted?", tuple(_probabilities(place, one, facts) for place, _, one in named)
        ),
        Answer("How certain are these figures?", tuple(_how_certain(record))),
    ]
    if strata.readers:
        answers.insert(3, Answer("How well do two readers agree?", tuple(f"{one.words}." for one in strata.readers)))
    return answers


def _how_good(
    record: EvaluationRecord, facts: ReportFacts, place: str, of_class: str | None, figures: ClassFigures
) -> list[str]:
    dice, name = figures.aggregates[DICE], facts.task.classes[0].name if of_class is None else of_class
    said = [f"{place}The mean Dice is {_value(dice)}. 1 is a perfect mask, 0 one without any overlap."]
    rows = counted_rows(rows_of_class(record, of_class))
    found, right = (interval_of(record, rows, of, facts.plan.seed) for of in (found_share, right_share))
    if found is not None:
        said.append(f"Of what the reference marks as {name}, the model finds {_share(found)}.")
    if right is not None:
        said.append(f"Of what the model marks as {name}, {_share(right)} is {name} in the reference.")
    return said


def _where_it_fails(record: EvaluationRecord, strata: Strata) -> list[str]:
    dices = mean_dice(record)
    worst, lowest = next(iter(dices.items()))
    several = " over its classes" if record.classes else ""
    said = [f"The worst of {len(dices)} cases is {worst}, with a mean Dice{several} of {lowest:.3f}."]
    if len(dices) == 1:
        said = [f"There is one case, {worst}, with a mean Dice{several} of {lowest:.3f}."]
    limit = record.conventions.failure_dice
    for of_class, figures in record.by_class.items():
        failed = figures.aggregates.get(FAILURES)
        if failed is not None and limit is not None and failed.groups is not None and failed.upper is not None:
            place = "" if of_class is None else f" of {of_class}"
            said.append(
                f"In {round(failed.mean * failed.groups)} of {failed.groups} groups a case{place} failed (Dice below {limit:g}). "
                f"With {percent(failed.level)} confidence at most {100 * failed.upper:.0f} % of all such groups do."
            )
    said += _empty_masks(record)
    weakest = [
        (one.mean, one)
        for one in strata.figures
        if one.measure == DICE and one.mean is not None and one.groups >= FEWEST_GROUPS
    ]
    if weakest:
        lowest, one = min(weakest, key=lambda pair: pair[0])
        place = "" if one.of_class is None else f" of {one.of_class}"
        said.append(
            f"The weakest subgroup with at least {FEWEST_GROUPS} groups is {one.attribute} {one.stratum}, with a mean "
            f"Dice{place} of {lowest:.3f}."
        )
    return said


def _empty_masks(record: EvaluationRecord) -> list[str]:
    rows = [row for row in record.cases if isinstance(row, CaseCounts)]
    missed = [row.case for row in rows if row.overlap.reference and not row.overlap.tp + row.overlap.fp]
    added = [row.case for row in rows if not row.overlap.reference and row.overlap.fp]
    said = []
    if missed:
        said.append(f"The mask is empty although the reference is not: {_listed(missed)}.")
    if added:
        said.append(f"The mask is not empty although the reference is: {_listed(added)}.")
    return said


def _against_threshold(place: str, figures: ClassFigures) -> str:
    over = figures.aggregates.get(OVER_BASELINE)
    rival = f"{place}The best single intensity threshold has a mean Dice of {figures.baseline.mean:.3f}"
    if over is None:
        return f"{rival}."
    return f"{rival}. The mean difference of the model to it is {over.mean:+.3f}{_bounds(over, '+.3f')}."


def _probabilities(place: str, figures: ClassFigures, facts: ReportFacts) -> str:
    return (
        f"{place}A stated probability differs from what is found by {figures.ece:.3f} on average over all {facts.voxels}, "
        f"and by {figures.band_ece:.3f} along borders (expected calibration error; 0 is perfect)."
    )


def _how_certain(record: EvaluationRecord) -> list[str]:
    dice, groups = record.aggregates[DICE], len(record.groups)
    cases = f"{len(record.tested)} {'case' if len(record.tested) == 1 else 'cases'}"
    counted = f"{groups} independent {'group' if groups == 1 else 'groups'} with {cases}"
    if dice.upper is None:
        said = [f"There is no interval: {counted}."]
    else:
        said = [
            f"The figures come from {counted}. Intervals are {METHODS[dice.method]} intervals of {percent(dice.level)}."
        ]
        if dice.coverage is not None:
            said.append(
                f"In samples drawn from the groups themselves, {percent(dice.coverage)} of such intervals contained the mean."
            )
        if groups < FEW_GROUPS:
            said.append(f"With fewer than {FEW_GROUPS} groups an interval can be too narrow when groups differ much.")
    said.append(record.reuse)
    return said


def _value(interval: Interval) -> str:
    return f"{interval.mean:.3f}{_bounds(interval, '.3f') or ', without an interval'}"


def _share(interval: Interval) -> str:
    return f"{interval.mean:.0%}{_bounds(interval, '.0%')}".replace("%", " %").replace("  %", " %")


def _bounds(interval: Interval, form: str) -> str:
    """The interval in brackets; empty where there is none."""
    if interval.lower is None or interval.upper is None:
        return ""
    covered = interval.coverage
    doubt = (
        "" if covered is None or covered >= _COVERS else f"; such intervals contained the mean in {percent(covered)}"
    )
    return f" ({interval.lower:{form}} to {interval.upper:{form}}{doubt})"


def _listed(names: list[str], most: int = 6) -> str:
    different = list(dict.fromkeys(names))
    rest = len(different) - most
    return ", ".join(different[:most]) + (f" and {rest} more" if rest > 0 else "")
