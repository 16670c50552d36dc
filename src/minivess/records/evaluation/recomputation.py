"""The figures of an evaluation, computed from the counts of its cases. Standard library only.

`record_of` makes them when an evaluation is written. `recomputed` makes them again from a record that was read, and
`first_difference` compares them with what the record states. `templates/verify/verify.py` does the same in its own writing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import Field

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, Slug
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import MILLION, Bins
from minivess.records.evaluation.evaluation import FORMAT, AnalysisPlan, Conventions, EvaluationPlan, EvaluationRecord
from minivess.records.evaluation.measures import DICE, FAILURES, OVER_BASELINE, in_order, range_of, sources_of
from minivess.records.evaluation.statistics.intervals import failure_share, group_interval, mean_interval
from minivess.records.evaluation.statistics.summaries import ClassFigures, Interval

RECALL = "conformal_recall"
"""The field of the recall of the conformal mask."""
SCORES_FIELD = "scores"
"""What a case has besides its counts where the plan names scores of probabilities."""
NOT_STATED = "not there"
"""How a difference shows what only one side has."""


class Figures(Record):
    """What follows from the counts of all cases. The fields are those of `EvaluationRecord`."""

    aggregates: dict[str, Interval]
    """Each measure and score over the cases where it is defined, `dice_over_baseline`, the paired difference, and `failures`, the
    share of groups that failed."""
    baseline: Interval
    conformal_recall: Interval | None
    ece: float
    band_ece: float
    best: Slug
    """The case with the highest mean Dice of its classes; of several, the first by name."""
    worst: Slug
    """The case with the lowest mean Dice of its classes; of several, the first by name."""
    classes: dict[str, ClassFigures] = Field(default={})
    """Of several classes, each by its name. Then the other figures are over the rows of all classes."""


class Difference(Record):
    """One place of an evaluation that is not what follows from what it rests on."""

    figure: str
    """The place in the record, as `aggregates.dice.mean`."""
    stated: str
    computed: str
    by: str
    """What `computed` follows from."""

    @property
    def sentence(self) -> str:
        """The difference for people."""
        return f"{self.figure} is {self.stated} in the evaluation, and {self.computed} by {self.by}"


def calibration_error(bins: Sequence[Bins]) -> float:
    """The expected calibration error over the voxels of all cases; 0 without voxels (Naeini et al. 2015).

    Args:
        bins: the bins of each case. They are added up as whole numbers first.
    """
    rows = [tuple(map(sum, zip(*row, strict=True))) for row in zip(*bins, strict=True)]
    voxels = sum(row[0] for row in rows)
    if not voxels:
        return 0.0
    return math.fsum(abs(probability / MILLION - positives) for _, probability, positives in rows) / voxels


@implements("REQ-242")
def calibration_error_of_groups(bins: Mapping[str, Sequence[Bins]]) -> float:
    """The expected calibration error in which each group weighs the same; 0 without voxels.

    The bins of a group are added up as whole numbers and divided by its voxels. A group without voxels is left out.

    Args:
        bins: the bins of each case, by group.
    """
    rows: list[list[float]] = []
    for _, cases in sorted(bins.items()):
        added = [tuple(map(sum, zip(*row, strict=True))) for row in zip(*cases, strict=True)]
        voxels = sum(row[0] for row in added)
        if voxels:
            rows.append([(probability / MILLION - positives) / voxels for _, probability, positives in added])
    return math.fsum(abs(math.fsum(row)) for row in zip(*rows, strict=True)) / len(rows) if rows else 0.0


@implements("REQ-215", "REQ-216", "REQ-242", "REQ-338", "REQ-381")
def figures_of(
    cases: Sequence[CaseCounts],
    conventions: Conventions,
    *,
    seed: int,
    level: float,
    measures: Collection[str] | None = None,
) -> Figures:
    """Compute the figures of an evaluation. The order of the cases has no influence.

    Args:
        cases: at least one; each with the same counts. With several classes, a row for each case and class.
        conventions: with the statistics, the number of resamples, and the unit that is resampled.
        seed: of the draws. Each interval starts with it anew.
        level: of every interval, between 0 and 1.
        measures: what is averaged; each follows from the counts. None: the measures by which the counts are named.

    Raises:
        UsageError: there are no cases.
    """
    if not cases:
        raise UsageError("there are no cases to evaluate")
    names = in_order(cases[0].counts if measures is None else measures)
    ranked = {name: math.fsum(dices) / len(dices) for name, dices in _dices(cases).items()}
    named = dict.fromkeys(case.of_class for case in cases if case.of_class is not None)
    return Figures(
        **dict(_class_figures(cases, names, conventions, seed, level)),
        best=min(ranked, key=lambda name: (-ranked[name], name)),
        worst=min(ranked, key=lambda name: (ranked[name], name)),
        classes={
            name: _class_figures([case for case in cases if case.of_class == name], names, conventions, seed, level)
            for name in named
        },
    )


def _dices(cases: Sequence[CaseCounts]) -> dict[str, list[float]]:
    """The Dice of each class of each case."""
    held: dict[str, list[float]] = {}
    for case in cases:
        held.setdefault(case.case, []).append(case.dice)
    return held


def _class_figures(
    cases: Sequence[CaseCounts], names: Sequence[str], conventions: Conventions, seed: int, level: float
) -> ClassFigures:
    """The figures over rows, of one class or of all."""

    def interval(name: str, pairs: Sequence[tuple[CaseCounts, float | None]]) -> Interval | None:
        defined = [(case.unit(conventions.bootstrap_unit), value) for case, value in pairs if value is not None]
        if not defined:
            return None
        units, values = zip(*defined, strict=True)
        resamples = conventions.bootstrap
        if by_group:
            return group_interval(values, units, resamples=resamples, seed=seed, level=level, within=range_of(name))
        return mean_interval(values, units, resamples=resamples, seed=seed, level=level)

    by_group = conventions.statistics == "mean of groups"
    values = [(case, case.values) for case in cases]
    columns: dict[str, list[tuple[CaseCounts, float | None]]] = {
        name: [(case, held[name]) for case, held in values] for name in names
    }
    scored = [(case, case.score_values) for case in cases]
    columns |= {name: [(case, held[name]) for case, held in scored] for name in scored[0][1]}
    columns[OVER_BASELINE] = [(case, case.dice - case.baseline_dice) for case in cases]
    baseline = interval(DICE, [(case, case.baseline_dice) for case in cases])
    assert baseline is not None  # noqa: S101  every case has one
    aggregates = {name: made for name, column in columns.items() if (made := interval(name, column)) is not None}
    if conventions.failure_dice is not None:
        failed = [case.dice < conventions.failure_dice for case in cases]
        aggregates[FAILURES] = failure_share(failed, [case.group for case in cases], level=level)
    everywhere, border = [(case.group, case.bins) for case in cases], [(case.group, case.border_bins) for case in cases]
    error = _error_of_groups if by_group else _error_of_voxels
    return ClassFigures(
        aggregates=aggregates,
        baseline=baseline,
        conformal_recall=interval(
            RECALL, [(case, case.conformal.measure) for case in cases if case.conformal is not None]
        ),
        ece=error(everywhere),
        band_ece=error(border),
    )


def _error_of_voxels(rows: Sequence[tuple[str, Bins]]) -> float:
    return calibration_error([bins for _, bins in rows])


def _error_of_groups(rows: Sequence[tuple[str, Bins]]) -> float:
    held: dict[str, list[Bins]] = {}
    for group, bins in rows:
        held.setdefault(group, []).append(bins)
    return calibration_error_of_groups(held)


@implements("REQ-214")
def record_of(cases: Sequence[CaseCounts], plan: EvaluationPlan) -> EvaluationRecord:
    """The record of an evaluation: its cases, with the figures that follow from them.

    Raises:
        UsageError: there are no cases.
    """
    analysis = plan.analysis
    names = _names_of(analysis)
    figures = figures_of(cases, analysis.conventions, seed=analysis.seed, level=plan.level, measures=names)
    return EvaluationRecord(
        format=FORMAT,
        model=plan.model,
        data=plan.data,
        request=plan.request,
        threshold=analysis.mask_threshold,
        conventions=analysis.conventions,
        cases=tuple(cases),
        look=plan.look,
        looks=plan.looks,
        part=plan.part,
        measured=() if set(names) == set(cases[0].counts) else names,
        **dict(figures),
    )


@implements("REQ-216")
def recomputed(record: EvaluationRecord, plan: AnalysisPlan) -> Figures:
    """The figures of a record, computed again from the counts of its cases.

    Args:
        record: of format 2.
        plan: the registered plan, which has the seed.

    Raises:
        UsageError: the record has no counts, because version 0.1.0 wrote it.
    """
    return figures_of(_counted(record), plan.conventions, seed=plan.seed, level=record.level, measures=_names_of(plan))


@implements("REQ-216", "REQ-422", "RC-90", "RC-169")
def first_difference(record: EvaluationRecord, plan: AnalysisPlan) -> Difference | None:
    """Compare a record with its plan and its figures with those that follow from its counts.

    Numbers are compared as text of six decimals; the number of cases, and what is undefined, exactly.

    Returns:
        The first difference, or None. Conventions, threshold and measures come first, then the figures.

    Raises:
        UsageError: the record has no counts, because version 0.1.0 wrote it.
    """
    if record.part is not None:
        return Difference(figure="part", stated=record.part, computed="the sealed test part", by="its registered plan")
    cases = _counted(record)
    names, sources = tuple(row.name for row in record.measures), {name for case in cases for name in case.counts}
    sources |= {SCORES_FIELD for case in cases if case.scores is not None}
    stated = dict(_planned(record.conventions, record.threshold, names, sources))
    wanted, scored = _names_of(plan), [SCORES_FIELD] if plan.scores is not None else []
    planned = dict(_planned(plan.conventions, plan.mask_threshold, wanted, [*sources_of(wanted), *scored]))
    if (found := _compared(stated, planned, by="its registered plan")) is not None:
        return found
    told = Figures(**{name: getattr(record, name) for name in Figures.model_fields})
    return _compared(dict(_texts(told)), dict(_texts(recomputed(record, plan))), by="the counts of its cases")


def _counted(record: EvaluationRecord) -> list[CaseCounts]:
    cases = [case for case in record.cases if isinstance(case, CaseCounts)]
    if record.format is None or len(cases) < len(record.cases):
        raise UsageError(
            "an evaluation of version 0.1.0 has no counts, so its figures cannot be computed again",
            hint="evaluate again with this version",
        )
    return cases


def _compared(stated: Mapping[str, str], computed: Mapping[str, str], *, by: str) -> Difference | None:
    for name in {**computed, **stated}:
        pair = stated.get(name, NOT_STATED), computed.get(name, NOT_STATED)
        if pair[0] != pair[1]:
            return Difference(figure=name, stated=pair[0], computed=pair[1], by=by)
    return None


def _names_of(plan: AnalysisPlan) -> tuple[str, ...]:
    """The measures of a plan, and Dice, in the order of reports."""
    return tuple(in_order({DICE, *plan.measures}))


def _planned(
    conventions: Conventions, threshold: float, measures: Collection[str], sources: Collection[str]
) -> Iterator[tuple[str, str]]:
    yield from ((f"conventions.{name}", f"{value}") for name, value in conventions if name != "of_measure")
    yield from ((f"conventions.of_measure.{name}", said) for name, said in sorted(conventions.of_measure.items()))
    yield "threshold", f"{threshold}"
    yield "measures", ", ".join(in_order(measures))
    yield "counts", ", ".join(sorted(sources))


def _texts(figures: Figures) -> Iterator[tuple[str, str]]:
    yield from _class_texts("", figures)
    yield from (("best", figures.best), ("worst", figures.worst))
    for name, one in figures.classes.items():
        yield from _class_texts(f"classes.{name}.", one)


def _class_texts(where: str, figures: Figures | ClassFigures) -> Iterator[tuple[str, str]]:
    for name, interval in sorted(figures.aggregates.items()):
        yield from _interval_texts(f"{where}aggregates.{name}", interval)
    yield from _interval_texts(f"{where}baseline", figures.baseline)
    if figures.conformal_recall is not None:
        yield from _interval_texts(f"{where}conformal_recall", figures.conformal_recall)
    yield from ((f"{where}ece", f"{figures.ece:.6f}"), (f"{where}band_ece", f"{figures.band_ece:.6f}"))


def _interval_texts(name: str, interval: Interval) -> Iterator[tuple[str, str]]:
    for part, value in parts_of(interval).items():
        yield f"{name}.{part}", value


def parts_of(interval: Interval) -> dict[str, str]:
    """Every part of an interval as text: numbers with six decimals, the rest as it is; what is undefined or absent, so named."""
    parts: dict[str, object] = {name: value for name, value in interval if name != "beside"}
    parts |= {f"beside.{name}": value for name, value in interval.beside or ()}
    return {
        name: "undefined" if value is None else f"{value:.6f}" if isinstance(value, float) else f"{value}"
        for name, value in parts.items()
    }
