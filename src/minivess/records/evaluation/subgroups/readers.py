"""How far two readers agree, beside how far the model agrees with the first: what can be expected at best."""

from __future__ import annotations

from collections.abc import Mapping

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText
from minivess.records.data.dataset import CaseRecord
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import CaseNumbers, CentrelineCounts, OverlapCounts
from minivess.records.evaluation.evaluation import SKELETON, Conventions, EvaluationRecord
from minivess.records.evaluation.measures import DICE, measure_of
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.evaluation.subgroups.figures import mean_of_groups
from minivess.records.evaluation.subgroups.gaps import Gap, gap_between

CLDICE = "cldice"


class ReaderFigure(Record):
    """The agreement of two readers by a measure, and of the model with the first reader in the same cases."""

    measure: ShortText
    of_class: ShortText | None
    groups: int
    cases: int
    """With the masks of two readers."""
    readers: float
    """The mean over groups of the second reader's mask against the first one's."""
    readers_interval: Interval | None
    """None where there are too few groups."""
    model: float
    """The same of the model's mask against the first one's."""
    model_interval: Interval | None
    gap: Gap
    """The model minus the readers, of the same groups."""

    @property
    def words(self) -> str:
        """What it is for people."""
        place = "" if self.of_class is None else f" of {self.of_class}"
        return (
            f"{self.measure}{place}: two readers agree by {self.readers:.3f}, the model and the first reader by "
            f"{self.model:.3f}, difference {self.gap.words()}, {self.cases} cases of {self.groups} groups"
        )


@implements("REQ-418")
def agreed_counts(case: CaseRecord, value: int, conventions: Conventions) -> Mapping[str, CaseNumbers]:
    """The counts of the readers of a class, by measure, for its row; empty where there is one reader.

    Those of the skeleton are left out where a plan of before has another rule.
    """
    for one in case.readers:
        if one.value == value:
            both, second, first = one.overlap
            held: dict[str, CaseNumbers] = {DICE: OverlapCounts(tp=both, fp=second, fn=first)}
            if conventions.skeleton == SKELETON:
                names = CentrelineCounts.model_fields
                held[CLDICE] = CentrelineCounts.model_validate(dict(zip(names, one.skeleton, strict=True)))
            return held
    return {}


@implements("REQ-418")
def reader_figure(
    record: EvaluationRecord, measure: str, *, seed: int, of_class: str | None = None
) -> ReaderFigure | None:
    """The agreement of two readers beside that of the model, over the cases that two readers marked.

    Args:
        record: an evaluation.
        measure: one of the measures whose counts both have.
        seed: of the plan; the same seed gives the same intervals.
        of_class: one of several classes. None: the rows of all of them.

    Returns:
        None where no case has counts of two readers by this measure.

    Raises:
        UsageError: the record has no such class.
    """
    if of_class is not None and of_class not in record.classes:
        raise UsageError(f"the evaluation has no class {of_class}", hint=f"classes: {', '.join(record.classes)}")
    readers: dict[str, list[float]] = {}
    model: dict[str, list[float]] = {}
    cases, wanted = set(), measure_of(measure)
    for row in record.cases:
        if wanted is None or not isinstance(row, CaseCounts) or of_class not in {None, row.of_class}:
            continue
        if wanted.counted_as not in row.readers:
            continue
        agreed, reached = wanted.value(row.readers[wanted.counted_as], row.voxels), row.values.get(measure)
        if agreed is not None and reached is not None:
            readers.setdefault(row.group, []).append(agreed)
            model.setdefault(row.group, []).append(reached)
            cases.add(row.case)
    if not cases:
        return None
    agreed_of, reached_of = (mean_of_groups(record, held, measure, seed=seed) for held in (readers, model))
    return ReaderFigure(
        measure=measure,
        of_class=of_class,
        groups=len(readers),
        cases=len(cases),
        readers=agreed_of.mean,
        readers_interval=agreed_of.interval,
        model=reached_of.mean,
        model_interval=reached_of.interval,
        gap=gap_between(reached_of.means, agreed_of.means, level=record.level, seed=seed),
    )
