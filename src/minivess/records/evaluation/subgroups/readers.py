"""How far two readers agree, beside how far the model agrees with the first: what can be expected at best."""

from __future__ import annotations

from collections.abc import Mapping

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.base import Record, ShortText
from minivess.records.data.dataset import CaseRecord, ReaderSurfaces
from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import (
    CaseNumbers,
    CentrelineCounts,
    Distance,
    OverlapCounts,
    SurfaceCounts,
    SurfaceDistances,
)
from minivess.records.evaluation.evaluation import SKELETON, Conventions, EvaluationRecord
from minivess.records.evaluation.measures import DICE, measure_of, name_in
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.evaluation.subgroups.figures import mean_of_groups
from minivess.records.evaluation.subgroups.gaps import Gap, gap_between
from minivess.records.evaluation.tolerance import reach_of
from minivess.records.lengths import MICROMETRES, Length

CLDICE = "cldice"


class ReaderFigure(Record):
    """The agreement of two readers by a measure, and of the model with the first reader in the same cases."""

    measure: ShortText
    of_class: ShortText | None
    named: ShortText
    """The measure for people; of a distance with its unit."""
    digits: int = 3
    """After the decimal point."""
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
        readers, model = (f"{one:.{self.digits}f}" for one in (self.readers, self.model))
        row = measure_of(self.measure)
        said = (
            f"two readers are {readers} apart, the model and the first reader {model}"
            if row is not None and row.is_distance
            else f"two readers agree by {readers}, the model and the first reader by {model}"
        )
        return (
            f"{self.named}{place}: {said}, difference {self.gap.words(self.digits)}, "
            f"{self.cases} cases of {self.groups} groups"
        )


@implements("REQ-418", "REQ-314")
def agreed_counts(case: CaseRecord, value: int, conventions: Conventions) -> Mapping[str, CaseNumbers]:
    """The counts of the readers of a class, by measure, for its row; empty where there is one reader.

    Those of the skeleton are left out where a plan of before has another rule, distances where it names them otherwise, and NSD
    where the tolerance is larger than the distances that were counted.
    """
    for one in case.readers:
        if one.value == value:
            both, second, first = one.overlap
            held: dict[str, CaseNumbers] = {DICE: OverlapCounts(tp=both, fp=second, fn=first)}
            if conventions.skeleton == SKELETON:
                inside_second, all_second, inside_first, all_first = one.skeleton
                held[CLDICE] = CentrelineCounts(
                    predicted_inside=inside_second,
                    predicted=all_second,
                    reference_inside=inside_first,
                    reference=all_first,
                )
            if one.surfaces is not None and conventions.unit is not None:
                held |= _surface_counts(one.surfaces, conventions.within)
            return held
    return {}


def _surface_counts(found: ReaderSurfaces, tolerance: Length) -> dict[str, CaseNumbers]:
    """The counts of distances and of NSD. The case has pixels where the tolerance has, and else micrometres."""
    factor = MICROMETRES.get(tolerance.unit, 1)
    hd, hd95, assd, masd = (
        None if one is None else one / factor for one in (found.hd, found.hd95, found.assd, found.masd)
    )
    held: dict[str, CaseNumbers] = {
        "hd95": Distance(value=hd95),
        "distances": SurfaceDistances(hd=hd, assd=assd, masd=masd),
    }
    limit = tolerance.value if tolerance.unit == "px" else tolerance.micrometres
    if limit <= found.reach:
        near = [(second, first) for distance, second, first in found.within if distance <= reach_of(limit)]
        second, first = near[-1] if near else (0, 0)
        held["nsd"] = SurfaceCounts(
            predicted_within=second, predicted=found.borders[0], reference_within=first, reference=found.borders[1]
        )
    return held


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
    if not cases or wanted is None:
        return None
    agreed_of, reached_of = (mean_of_groups(record, held, measure, seed=seed) for held in (readers, model))
    return ReaderFigure(
        measure=measure,
        of_class=of_class,
        named=name_in(measure, record.unit),
        digits=max(wanted.digits_in(record.unit), 2),
        groups=len(readers),
        cases=len(cases),
        readers=agreed_of.mean,
        readers_interval=agreed_of.interval,
        model=reached_of.mean,
        model_interval=reached_of.interval,
        gap=gap_between(reached_of.means, agreed_of.means, level=record.level, seed=seed),
    )
