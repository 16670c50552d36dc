"""Figures that a report computes from the counts of a record, besides those that the record states.

They follow the statistics of the record: with `mean of groups` each independent group weighs the same, so that a large volume
does not outweigh the others.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minivess.foundation.implements import implements
from minivess.records.evaluation.cases import CaseCounts, CaseMeasures
from minivess.records.evaluation.counted.counts import MILLION, BinCounts
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.statistics.intervals import group_interval, mean_interval
from minivess.records.evaluation.statistics.summaries import Interval

Row = CaseCounts | CaseMeasures


@dataclass(frozen=True)
class BinPoint:
    """A bin of a reliability diagram."""

    confidence: float
    """The mean probability in it."""
    frequency: float
    """The share of its voxels that are of the class in the reference."""
    share: float
    """Of all voxels that are in this bin."""
    place: int
    """From 0 to 14, by probability."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall at a threshold of the probability, or of the mask."""

    threshold: float | None
    """None: the mask."""
    precision: float
    recall: float


def rows_of_class(record: EvaluationRecord, of_class: str | None) -> list[Row]:
    """The rows of a class; of one class all."""
    return [row for row in record.cases if row.of_class == of_class]


def counted_rows(rows: Sequence[Row]) -> list[CaseCounts]:
    """The rows with counts: none of a record of version 0.1.0."""
    return [row for row in rows if isinstance(row, CaseCounts)]


def mean_dice(record: EvaluationRecord) -> dict[str, float]:
    """The mean Dice of the classes of each case, worst first; of equal cases the first by name first."""
    held: dict[str, list[float]] = {}
    for row in record.cases:
        held.setdefault(row.case, []).append(row.dice)
    mean = {case: math.fsum(values) / len(values) for case, values in held.items()}
    return dict(sorted(mean.items(), key=lambda pair: (pair[1], pair[0])))


@implements("REQ-399")
def interval_of(
    record: EvaluationRecord, rows: Sequence[CaseCounts], value_of: Callable[[CaseCounts], float | None], seed: int
) -> Interval | None:
    """The mean of a share over cases where it is defined, with its interval, as the record makes those of its measures."""
    defined = [(row, value) for row in rows if (value := value_of(row)) is not None]
    if not defined:
        return None
    conventions = record.conventions
    units, values = [row.unit(conventions.bootstrap_unit) for row, _ in defined], [value for _, value in defined]
    if conventions.statistics == "mean of groups":
        return group_interval(
            values, units, resamples=conventions.bootstrap, seed=seed, level=record.level, within=(0.0, 1.0)
        )
    return mean_interval(values, units, resamples=conventions.bootstrap, seed=seed, level=record.level)


def found_share(row: CaseCounts) -> float | None:
    """The share of the reference that the prediction has (sensitivity); None without a reference."""
    return row.overlap.tp / row.overlap.reference if row.overlap.reference else None


def right_share(row: CaseCounts) -> float | None:
    """The share of the prediction that the reference has (positive predictive value); None without a prediction."""
    predicted = row.overlap.tp + row.overlap.fp
    return row.overlap.tp / predicted if predicted else None


def bin_points(record: EvaluationRecord, rows: Sequence[CaseCounts], *, border: bool) -> list[BinPoint]:
    """The bins that hold voxels, in order of probability. Groups weigh as in the record's expected calibration error."""
    added = _weighted(record, [(row, row.border_bins if border else row.bins) for row in rows])
    total = math.fsum(voxels for voxels, _, _ in added)
    return [
        BinPoint(probability / voxels, positives / voxels, voxels / total, place)
        for place, (voxels, probability, positives) in enumerate(added)
        if voxels
    ]


@implements("REQ-399")
def precision_recall(record: EvaluationRecord, rows: Sequence[CaseCounts]) -> list[PrecisionRecall]:
    """Precision and recall over all voxels at the inner borders of the bins, by falling threshold, and last of the mask.

    The bins are the 100 fine ones where the record has scores, else the 15 of the reliability diagram. Empty without a voxel of
    the class in the reference. A threshold that no voxel reaches is left out.
    """
    fine = all(row.scores is not None for row in rows)
    pairs = [(row, row.scores.bins if fine and row.scores is not None else row.bins) for row in rows]
    added = _weighted(record, pairs)
    whole = math.fsum(positives for _, _, positives in added)
    if not whole:
        return []
    found = []
    for first in range(len(added) - 1, 0, -1):
        voxels, positives = (math.fsum(row[part] for row in added[first:]) for part in (0, 2))
        if voxels:
            found.append(PrecisionRecall(first / len(added), positives / voxels, positives / whole))
    weights = _weights(record, pairs)
    right = math.fsum(weights[row.group] * row.overlap.tp for row in rows)
    marked = math.fsum(weights[row.group] * (row.overlap.tp + row.overlap.fp) for row in rows)
    return [*found, PrecisionRecall(None, right / marked, right / whole)] if marked else found


def _weights(record: EvaluationRecord, pairs: Sequence[tuple[CaseCounts, Sequence[BinCounts]]]) -> dict[str, float]:
    """What a voxel of each group counts."""
    voxels: defaultdict[str, int] = defaultdict(int)
    for row, bins in pairs:
        voxels[row.group] += sum(one.voxels for one in bins)
    equal = record.conventions.statistics == "mean of groups"
    return {group: (1 / count if equal and count else 1.0) for group, count in voxels.items()}


def _weighted(
    record: EvaluationRecord, pairs: Sequence[tuple[CaseCounts, Sequence[BinCounts]]]
) -> list[tuple[float, float, float]]:
    """Voxels, sum of probabilities and positives of each bin, over all cases, with the weights of their groups."""
    if not pairs:
        return []
    weights = _weights(record, pairs)
    return [
        (
            math.fsum(weights[row.group] * bins[place].voxels for row, bins in pairs),
            math.fsum(weights[row.group] * bins[place].probability / MILLION for row, bins in pairs),
            math.fsum(weights[row.group] * bins[place].positives for row, bins in pairs),
        )
        for place in range(len(pairs[0][1]))
    ]
