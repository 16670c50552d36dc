"""Two evaluations of the same cases, compared measure by measure. Standard library and pydantic only."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.foundation.errors import RefusedError, UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, Slug
from minivess.records.evaluation.cases import OfClass
from minivess.records.evaluation.comparison.paired import (
    NonInferiority,
    PairedDifference,
    Share,
    means_by_group,
    non_inferiority,
    paired_difference,
)
from minivess.records.evaluation.comparison.permutation import holm
from minivess.records.evaluation.comparison.sample_size import GroupsNeeded, groups_needed
from minivess.records.evaluation.evaluation import Conventions, EvaluationRecord
from minivess.records.evaluation.measures import Measure, MeasureName, measure_of, range_of
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.lengths import LengthUnit

FORMAT: Final = "minivess-comparison/1"
_OF_STATISTICS = {"bootstrap", "bootstrap_unit", "statistics", "failure_dice"}
"""Conventions that change no value of a case."""


class ComparedEvaluation(Record):
    """One of the two evaluations."""

    file: Digest
    """Of the bytes that were read."""
    model: Digest
    request: Slug
    look: Annotated[int, Field(ge=1)]
    entry: Annotated[int, Field(ge=0)] | None
    """The entry of the log from which its look counts; None for cases of another part than the sealed one."""


class MeasureComparison(Record):
    """One measure of one class."""

    measure: MeasureName
    of_class: OfClass = None
    cases: int
    """In which both have a value."""
    left_out: tuple[Slug, ...]
    """Cases in which one has no value."""
    paired: PairedDifference | None
    """None where no case has values of both."""
    p_holm: Share | None
    """p corrected for all measures and classes of the comparison (Holm 1979)."""
    non_inferiority: NonInferiority | None
    """None where no margin was stated."""
    needed: GroupsNeeded | None
    """Where the answer is open: the groups that would show non-inferiority or, without a margin, this difference."""


class FailedGroups(Record):
    """Groups in which a case of a class failed. Counts alone: no test, so that they change no corrected p."""

    of_class: OfClass = None
    below: float
    """A case with a lower Dice has failed."""
    both: Annotated[int, Field(ge=0)]
    first_only: Annotated[int, Field(ge=0)]
    second_only: Annotated[int, Field(ge=0)]


class RegisteredMargins(NamedTuple):
    """The margins of the plan by which the later of two looks was judged."""

    losses: Mapping[str, float]
    """By measure."""
    entry: int
    """That registered the plan."""


class Goal(Record):
    """A limit of a measure, and the groups that would show it for one of the two models."""

    measure: MeasureName
    of_class: OfClass = None
    model: Literal["first", "second"]
    needed: GroupsNeeded


class Comparison(Record):
    """Second minus first: what `minivess model compare` writes with `--json`."""

    format: Literal["minivess-comparison/1"] = FORMAT
    first: ComparedEvaluation
    second: ComparedEvaluation
    data: Digest
    """Root of the cases, the same of both."""
    part: EvaluatedPart | None
    """The part of the data set; None: the sealed test part."""
    unit: LengthUnit
    """Of distances."""
    cases: int
    groups: int
    level: Annotated[float, Field(gt=0, lt=1)]
    """Of every interval: the higher one of the two evaluations. A corrected p below 1 - level is a difference."""
    seed: int
    resamples: int
    measures: tuple[MeasureComparison, ...]
    failures: tuple[FailedGroups, ...]
    """Of each class; empty where the evaluations count no failures, or by different limits."""
    not_compared: tuple[MeasureName, ...]
    """Measures that only one evaluation has."""
    goals: tuple[Goal, ...]


class _Pairs(NamedTuple):
    """The values of a measure in the cases where both have one, and the names of the other cases."""

    first: list[float]
    second: list[float]
    groups: list[str]
    left_out: tuple[str, ...]


class _Draws(NamedTuple):
    """How intervals and tests are made."""

    resamples: int
    seed: int
    level: float


@implements("REQ-394", "RC-158")
def check_comparable(first: EvaluationRecord, second: EvaluationRecord) -> None:
    """Refuse to compare what was not measured on the same cases in the same way.

    Raises:
        RefusedError: data, cases, subjects, groups, classes or the conventions of measures differ; the error names the first.
    """
    parts = [one.part or "test" for one in (first, second)]
    if parts[0] != parts[1]:
        raise RefusedError(f"the evaluations are of different parts of the data: {parts[0]} and {parts[1]}")
    if first.data != second.data:
        raise RefusedError(
            f"the evaluations are of different data: {first.data} and {second.data}",
            hint="compare models that were evaluated on the same sealed cases",
        )
    rows = [{(row.case, row.of_class): (row.subject, row.group) for row in one.cases} for one in (first, second)]
    apart = sorted(rows[0].items() ^ rows[1].items(), key=str)
    if apart:
        (case, of_class), _ = apart[0]
        place = "" if of_class is None else f", class {of_class}"
        raise RefusedError(f"the evaluations differ in case {case}{place}: its row, subject or group is not in both")
    for name in sorted(set(Conventions.model_fields) - _OF_STATISTICS):
        values = [getattr(one.conventions, name) for one in (first, second)]
        if values[0] != values[1]:
            raise RefusedError(
                f"the evaluations measure differently: {name.replace('_', ' ')} {values[0]!r} and {values[1]!r}",
                hint="evaluate both with the same conventions",
            )


@implements("REQ-390", "REQ-391", "REQ-394")
def compare(
    first: EvaluationRecord,
    second: EvaluationRecord,
    files: tuple[ComparedEvaluation, ComparedEvaluation],
    *,
    seed: int,
    margins: Mapping[str, float] | None = None,
    goals: Mapping[str, float] | None = None,
    registered: RegisteredMargins | None = None,
) -> Comparison:
    """Compare two evaluations of the same cases.

    Args:
        first: for example the model in use.
        second: the model that may replace it.
        files: what was read, in the same order.
        seed: of all draws.
        margins: by measure, the largest loss that does not matter; each class is compared with it.
        goals: by measure, the limit whose sample size is asked for.
        registered: margins that were fixed before a look. They are used where `margins` states none.

    Raises:
        RefusedError: they are not comparable (`check_comparable`).
        UsageError: a margin or goal names no measure that both have, or a margin is not above 0.
    """
    check_comparable(first, second)
    names = [[row.name for row in one.measures] for one in (first, second)]
    shared = [name for name in names[0] if name in names[1]]
    margins, goals = margins or {}, goals or {}
    for name in (*margins, *goals):
        if name not in shared:
            raise UsageError(f"{name!r} is no measure of both evaluations", hint=f"one of {', '.join(shared)}")
    if registered is not None:
        margins = {**{name: loss for name, loss in registered.losses.items() if name in shared}, **margins}
    how = _Draws(first.conventions.bootstrap, seed, max(first.level, second.level))
    pairs = {(name, of_class): _pairs(first, second, name, of_class) for of_class in first.by_class for name in shared}
    made = [_measured(*place, found, how, margins.get(place[0])) for place, found in pairs.items()]
    ps = [one.paired.p for one in made if one.paired is not None]
    corrected = iter(holm(ps))
    measures = [one if one.paired is None else one.model_copy(update={"p_holm": next(corrected)}) for one in made]
    measures = [_with_entry(one, registered) for one in measures]
    return Comparison(
        first=files[0],
        second=files[1],
        data=first.data,
        part=first.part,
        unit=first.unit,
        cases=len(first.tested),
        groups=len(first.groups),
        level=how.level,
        seed=seed,
        resamples=how.resamples,
        measures=tuple(
            _with_sample_size(one, pairs[one.measure, one.of_class], how, tests=len(ps)) for one in measures
        ),
        failures=tuple(_failures(first, second)),
        not_compared=tuple(sorted({*names[0]} ^ {*names[1]})),
        goals=tuple(_goals(first, second, goals, how)),
    )


@implements("REQ-392", "RC-157")
def undefined_cases(
    first: EvaluationRecord, second: EvaluationRecord, name: str, of_class: str | None = None
) -> tuple[str, ...]:
    """The cases in which a measure has no value in at least one of two evaluations, in order of name.

    Args:
        first: an evaluation.
        second: one of the same cases.
        name: of the measure.
        of_class: of several classes, which.
    """
    rows = [row for record in (first, second) for row in record.cases if row.of_class == of_class]
    return tuple(sorted({row.case for row in rows if row.values.get(name) is None}))


def _pairs(first: EvaluationRecord, second: EvaluationRecord, name: str, of_class: str | None) -> _Pairs:
    others = {row.case: row.values.get(name) for row in second.cases if row.of_class == of_class}
    found = _Pairs([], [], [], undefined_cases(first, second, name, of_class))
    for row in sorted(first.cases, key=lambda row: row.case):
        if row.of_class != of_class:
            continue
        one, two = row.values.get(name), others[row.case]
        if one is not None and two is not None:
            found.first.append(one)
            found.second.append(two)
            found.groups.append(row.group)
    return found


def _row(name: str) -> Measure:
    row = measure_of(name)
    assert row is not None  # noqa: S101  `MeasureName` refuses other names
    return row


def _measured(name: str, of_class: str | None, pairs: _Pairs, how: _Draws, margin: float | None) -> MeasureComparison:
    row, (least, most) = _row(name), range_of(name)
    paired = None
    if pairs.groups:
        paired = paired_difference(pairs.first, pairs.second, pairs.groups, width=most - least, **how._asdict())
    judged = None
    if margin is not None:
        judged = non_inferiority(
            paired, margin, higher_is_better=row.higher_is_better, left_out=pairs.left_out, digits=max(4, row.digits)
        )
    return MeasureComparison(
        measure=name,
        **({} if of_class is None else {"of_class": of_class}),
        cases=len(pairs.groups),
        left_out=pairs.left_out,
        paired=paired,
        p_holm=None,
        non_inferiority=judged,
        needed=None,
    )


@implements("REQ-317", "RC-173")
def unregistered_margins(found: Comparison) -> tuple[str, ...]:
    """The measures whose margin no log entry shows to be older than the later of the two looks, each once."""
    loose = [one.measure for one in found.measures if one.non_inferiority and one.non_inferiority.registered is None]
    return tuple(dict.fromkeys(loose))


@implements("REQ-317")
def _with_entry(found: MeasureComparison, registered: RegisteredMargins | None) -> MeasureComparison:
    """With the entry that registered the margin, where it is the one that was used."""
    judged = found.non_inferiority
    if judged is None or registered is None or registered.losses.get(found.measure) != judged.margin:
        return found
    return found.model_copy(update={"non_inferiority": judged.model_copy(update={"registered": registered.entry})})


def _with_sample_size(found: MeasureComparison, pairs: _Pairs, how: _Draws, *, tests: int) -> MeasureComparison:
    """With the number of groups that would answer what is open; as it is where nothing is, or one group was seen.

    Without a margin the question is whether there is a difference: the level is corrected for all tests (Bonferroni), and there
    must be so many groups that the permutation test can give a p below 1 - level.
    """
    judged, row = found.non_inferiority, _row(found.measure)
    if found.paired is None or found.p_holm is None or found.paired.difference.lower is None:
        return found
    away = [two - one for one, two in zip(pairs.first, pairs.second, strict=True)]
    means = list(means_by_group(away, pairs.groups).values())
    if judged is not None:
        if judged.verdict != "not shown" or found.left_out:
            return found
        limit = -judged.margin if row.higher_is_better else judged.margin
        needed = groups_needed(means, limit, at_least=row.higher_is_better, level=how.level, seed=how.seed)
    else:
        if found.p_holm < 1 - how.level or found.paired.difference.mean == 0:
            return found
        corrected, rises = (1 - how.level) / tests, found.paired.difference.mean > 0
        fewest = math.floor(math.log2(2 / corrected)) + 1
        needed = groups_needed(means, 0.0, at_least=rises, level=1 - corrected, fewest=fewest, seed=how.seed)
    if needed.needed is not None and needed.needed <= len(means):
        return found
    return found.model_copy(update={"needed": needed})


@implements("REQ-396")
def _failures(first: EvaluationRecord, second: EvaluationRecord) -> Iterator[FailedGroups]:
    below = first.conventions.failure_dice
    if below is None or below != second.conventions.failure_dice:
        return
    for of_class in first.by_class:
        failed, other = (
            {row.group for row in record.cases if row.of_class == of_class and row.dice < below}
            for record in (first, second)
        )
        named = {} if of_class is None else {"of_class": of_class}
        yield FailedGroups(
            **named,
            below=below,
            both=len(failed & other),
            first_only=len(failed - other),
            second_only=len(other - failed),
        )


def _goals(
    first: EvaluationRecord, second: EvaluationRecord, goals: Mapping[str, float], how: _Draws
) -> Sequence[Goal]:
    made = []
    for name, limit in goals.items():
        for of_class in first.by_class:
            for model, record in (("first", first), ("second", second)):
                needed = groups_to_show(record, name, limit, of_class=of_class, seed=how.seed, level=how.level)
                if needed is not None:
                    named = {} if of_class is None else {"of_class": of_class}
                    made.append(Goal.model_validate({"measure": name, **named, "model": model, "needed": needed}))
    return made


@implements("REQ-393")
def groups_to_show(
    record: EvaluationRecord,
    name: str,
    limit: float,
    *,
    of_class: str | None = None,
    seed: int = 0,
    level: float | None = None,
) -> GroupsNeeded | None:
    """How many groups would show a limit of a measure, with the mean and spread of an evaluation.

    Args:
        record: the evaluation.
        name: of the measure.
        limit: at least, where higher values are better; else at most.
        of_class: of several classes, which.
        seed: of the simulated power.
        level: of the interval; by default that of the evaluation.

    Returns:
        The number; None where fewer than two groups have values.
    """
    found = [(row.group, row.values.get(name)) for row in record.cases if row.of_class == of_class]
    defined = [(group, value) for group, value in found if value is not None]
    means = list(means_by_group([value for _, value in defined], [group for group, _ in defined]).values())
    if len(means) < 2:
        return None
    better = _row(name).higher_is_better
    return groups_needed(means, limit, at_least=better, level=record.level if level is None else level, seed=seed)
