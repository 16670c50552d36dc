"""Scores of probabilities: sums and bins of each case, and how each score follows from them. Standard library only.

Brier score (Brier 1950), negative log likelihood (Good 1952), adaptive calibration error (Nixon et al. 2019) and average
precision, as Metrics Reloaded names them (Maier-Hein, Reinke et al. 2024). Each is the score of one case. Figures are means over
groups of the means of their cases, as those of all measures: no voxel of one case is averaged with voxels of another.
The same formulas are in `templates/verify/verify.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from minivess.foundation.implements import implements
from minivess.records.base import Record
from minivess.records.evaluation.counted.counts import MILLION, BinCounts, Count, whole_bins

FINE_BINS = 100
"""Bins of equal width over the foreground probability, finer than those of the reliability diagram."""
LEAST_LIKELY = 1e-6
"""The log likelihood takes a smaller probability of what the reference says as this."""
RANGES = 15
"""Ranges of the adaptive calibration error, with numbers of voxels as equal as whole bins allow."""

LOSSES: dict[str, Callable[[float], float]] = {
    "brier": lambda likely: (1 - likely) * (1 - likely),
    "nll": lambda likely: -math.log(max(likely, LEAST_LIKELY)),
}
"""What is summed of each voxel, by the name of the sum, from the probability of what the reference says of the voxel."""

FineBins = Annotated[
    tuple[BinCounts, ...], Field(min_length=FINE_BINS, max_length=FINE_BINS), AfterValidator(whole_bins)
]
"""The fine bins in order of probability, from 0 to 1."""


class PrecisionRecall(NamedTuple):
    """A point of the precision-recall curve."""

    threshold: float
    """Voxels with at least this probability are predicted."""
    precision: float | None
    """None where nothing is predicted."""
    recall: float | None
    """None without a reference."""


class ScoreCounts(Record):
    """What is counted of the probabilities of one class in one case, over all voxels or over those along the border.

    What contradicts the bins is refused: probabilities outside their bin, and a sum of losses that no voxels of these bins have.
    """

    brier: Count
    """The sum over voxels of the squared difference of probability and reference, in millionths, rounded."""
    nll: Count
    """The sum over voxels of -ln of the probability of what the reference says, in millionths, rounded."""
    bins: FineBins

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return sum(row.voxels for row in self.bins)

    @property
    def positives(self) -> int:
        """Voxels that are foreground in the reference."""
        return sum(row.positives for row in self.bins)

    @property
    def probability(self) -> int:
        """The sum of the probabilities in millionths."""
        return sum(row.probability for row in self.bins)

    @implements("REQ-383")
    @model_validator(mode="after")
    def _fit(self) -> Self:
        width = MILLION // FINE_BINS
        for place, row in enumerate(self.bins):
            low, high = place * width - 1, (place + 1) * width + 1
            if not low * row.voxels <= row.probability <= high * row.voxels:
                raise ValueError(f"the probabilities of fine bin {place} are outside the bin")
        for name, loss in LOSSES.items():
            total, slack = getattr(self, name), 1 + self.voxels
            least, most = (MILLION * self._sum_of(loss, best=best) for best in (True, False))
            if not least - slack <= total <= most + slack:
                raise ValueError(
                    f"{name} ({total}) is not between {least:.0f} and {most:.0f}, as voxels of its bins have it"
                )
        return self

    def _sum_of(self, loss: Callable[[float], float], *, best: bool) -> float:
        """The sum of a loss if each voxel had the best or the worst probability of its bin."""
        return math.fsum(
            row.positives * loss((place + best) / FINE_BINS)
            + (row.voxels - row.positives) * loss(1 - (place + (not best)) / FINE_BINS)
            for place, row in enumerate(self.bins)
        )


@implements("REQ-383", "RC-155")
def contradiction_of(
    everywhere: ScoreCounts, border: ScoreCounts, bins: Sequence[BinCounts], border_bins: Sequence[BinCounts]
) -> str | None:
    """What of the scores of a case contradicts its bins, or the scores along the border those of all voxels; None: nothing.

    Args:
        everywhere: of all voxels.
        border: of the voxels along the border.
        bins: of the reliability diagram, of all voxels.
        border_bins: the same along the border.
    """
    for held, coarse, place in ((everywhere, bins, "all voxels"), (border, border_bins, "the border")):
        voxels, probability, positives = (sum(column) for column in zip(*coarse, strict=True))
        if (held.voxels, held.positives) != (voxels, positives):
            return (
                f"the scores of {place} have {held.voxels} voxels and {held.positives} positives, the bins {voxels} and "
                f"{positives}"
            )
        if 2 * abs(held.probability - probability) > FINE_BINS + len(coarse):
            return f"the scores of {place} have a probability of {held.probability}, the bins {probability}"
    for near, all_of in zip(border.bins, everywhere.bins, strict=True):
        if near.voxels > all_of.voxels or near.positives > all_of.positives:
            return "a fine bin has more voxels along the border than in the volume"
    for name in LOSSES:
        if getattr(border, name) > getattr(everywhere, name) + 1:
            return f"{name} is larger along the border than in the volume"
    return None


def brier_score(held: ScoreCounts) -> float | None:
    """The mean squared difference of probability and reference, 0 (best) to 1; None without voxels."""
    return held.brier / (MILLION * held.voxels) if held.voxels else None


def log_loss(held: ScoreCounts) -> float | None:
    """The mean negative log likelihood in nats, from 0 (best); None without voxels."""
    return held.nll / (MILLION * held.voxels) if held.voxels else None


@implements("REQ-382")
def adaptive_error(held: ScoreCounts) -> float | None:
    """The adaptive calibration error, 0 (best) to 1; None without voxels.

    Nixon et al. (2019) divide the voxels into ranges of equal number by their probability. A bin is not divided here: a range
    takes bins until it has its share of the voxels that are left, which is one in so many as there are ranges left. So the
    ranges are not of equal number, and the gap of each is weighted by its voxels.
    """
    rest, left, gaps, voxels, gap = held.voxels, RANGES, list[float](), 0, 0
    if not rest:
        return None
    for row in held.bins:
        voxels, gap = voxels + row.voxels, gap + row.probability - MILLION * row.positives
        if voxels and voxels * left >= rest:
            gaps.append(abs(gap) / MILLION)
            rest, left, voxels, gap = rest - voxels, left - 1, 0, 0
    return math.fsum(gaps) / held.voxels


@implements("REQ-382")
def average_precision(held: ScoreCounts) -> float | None:
    """The sum of precisions, each times the step in recall up to it, over the thresholds of the fine bins (`precision_recall`).

    0 to 1 (best); by chance it is the share of positives. None without a reference.
    """
    if not held.positives:
        return None
    voxels = accumulate(row.voxels for row in reversed(held.bins))
    positives = accumulate(row.positives for row in reversed(held.bins))
    steps = zip(reversed(held.bins), positives, voxels, strict=True)
    return math.fsum(row.positives * (found / all_of) for row, found, all_of in steps if row.positives) / held.positives


def precision_recall(held: ScoreCounts) -> tuple[PrecisionRecall, ...]:
    """Precision and recall at each threshold 0, 0.01 … 0.99, of one case."""
    voxels = list(accumulate(row.voxels for row in reversed(held.bins)))[::-1]
    positives = list(accumulate(row.positives for row in reversed(held.bins)))[::-1]
    return tuple(
        PrecisionRecall(
            threshold=place / FINE_BINS,
            precision=found / predicted if predicted else None,
            recall=found / held.positives if held.positives else None,
        )
        for place, (predicted, found) in enumerate(zip(voxels, positives, strict=True))
    )


@implements("REQ-382")
def precision_recall_of_groups(cases: Sequence[tuple[str, ScoreCounts]]) -> tuple[PrecisionRecall, ...]:
    """The mean curve: at each threshold, precision and recall as means over groups of the means of their cases.

    A case without a prediction at a threshold has no precision there, and one without a reference no recall: it is left out.

    Args:
        cases: group and scores of each case.
    """
    held: dict[str, list[tuple[PrecisionRecall, ...]]] = {}
    for group, counts in cases:
        held.setdefault(group, []).append(precision_recall(counts))

    def mean(place: int, part: Callable[[PrecisionRecall], float | None]) -> float | None:
        found = [_mean([part(curve[place]) for curve in curves]) for _, curves in sorted(held.items())]
        return _mean(found)

    return tuple(
        PrecisionRecall(place / FINE_BINS, mean(place, lambda one: one.precision), mean(place, lambda one: one.recall))
        for place in range(FINE_BINS)
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


@dataclass(frozen=True)
class Score:
    """What people and criteria need to know of a score of probabilities."""

    name: str
    """As records and criteria name it."""
    title: str
    short: str
    """For figures and tables."""
    value: Callable[[ScoreCounts], float | None]
    formula: str
    """How it follows from the sums and bins, for people."""
    along_border: bool = False
    """Whether it is of the voxels along the border of the reference alone."""
    higher_is_better: bool = False
    largest: float | None = 1.0
    """The largest possible value; None when there is no such value. The smallest is 0."""
    digits: int = 4
    """Digits after the decimal point."""

    @property
    def direction(self) -> str:
        """Which values are better, for people."""
        return "higher is better" if self.higher_is_better else "lower is better"


_OF_ALL = (
    Score("brier", "Brier score", "Brier", brier_score, "brier / 1,000,000 / voxels; undefined without voxels"),
    Score(
        "nll",
        "Negative log likelihood (nats)",
        "NLL",
        log_loss,
        "nll / 1,000,000 / voxels; undefined without voxels",
        largest=None,
    ),
    Score(
        "ace",
        "Adaptive calibration error",
        "ACE",
        adaptive_error,
        "sum over 15 ranges of |probability / 1,000,000 - positives|, divided by the voxels; undefined without voxels",
    ),
    Score(
        "average_precision",
        "Average precision",
        "AP",
        average_precision,
        "sum over bins of positives × precision from this bin on, divided by all positives; undefined without a reference",
        higher_is_better=True,
    ),
)


def _along_border(score: Score) -> Score:
    return replace(
        score,
        name=f"border_{score.name}",
        title=f"{score.title}, along the border",
        short=f"{score.short}, border",
        along_border=True,
    )


SCORES: Mapping[str, Score] = {row.name: row for row in (*_OF_ALL, *map(_along_border, _OF_ALL))}
"""Every score by its name, in the order in which reports show them."""
