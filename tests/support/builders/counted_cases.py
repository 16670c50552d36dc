"""Cases of an evaluation in counts that fit together, made without any mask."""

from __future__ import annotations

from collections.abc import Sequence

from minivess.records.evaluation.cases import CaseCounts
from minivess.records.evaluation.counted.counts import (
    BINS,
    MILLION,
    BinCounts,
    CentrelineCounts,
    Distance,
    MeasureCounts,
    OverlapCounts,
    RecallCounts,
    SurfaceCounts,
)
from minivess.records.evaluation.counted.scores import FINE_BINS, LOSSES, ScoreCounts
from minivess.records.evaluation.evaluation import (
    AnalysisPlan,
    ClassThresholds,
    EvaluationPlan,
    EvaluationRecord,
    IntensityThreshold,
)
from minivess.records.evaluation.recomputation import record_of


def counted_case(
    name: str,
    *,
    overlap: tuple[int, int, int] = (90, 10, 20),
    baseline: tuple[int, int, int] | None = None,
    subject: str | None = None,
    group: str | None = None,
    conformal: tuple[int, int] | None = None,
    centreline: tuple[int, int, int, int] | None = None,
    surface: tuple[int, int, int, int] | None = None,
    distance: float | None = 2.5,
    voxels: int = 1000,
    of_class: str | None = None,
    scored: bool = False,
    shape: tuple[int, ...] | None = None,
) -> CaseCounts:
    """A case whose bins, baseline and skeletons follow from the overlap.

    Args:
        name: of the case; also of its subject and group, when these are not given.
        overlap: true positive, false positive and false negative voxels.
        baseline: the same of the baseline; by default 3 true positives in 4 are kept.
        subject: of the case.
        group: of the case.
        conformal: voxels of the reference in the conformal mask, and outside; None without such a mask.
        centreline: counts of clDice in their order.
        surface: counts of NSD in their order.
        distance: HD95 in micrometres; never of one empty mask.
        voxels: of the volume.
        of_class: the class that was counted; None where there is one class.
        scored: whether it has scores of the probabilities in its bins.
        shape: of the volume; its spacing is then 2 along each axis. None: it states neither.
    """
    tp, fp, fn = overlap
    kept = 3 * tp // 4
    first = baseline or (kept, fp, tp + fn - kept)
    sizes = tp + fp, tp + fn
    lines = centreline or (tp // 3, _part(sizes[0], 3), tp // 3, _part(sizes[1], 3))
    borders = surface or (tp // 2, _part(sizes[0], 2), tp // 2, _part(sizes[1], 2))
    near = tp // 2 + fp // 2 + fn // 2
    band = tp // 2, fp // 2, fn // 2, near + min(tp, voxels - tp - fp - fn)
    scores = {"scores": _scores(tp, fp, fn, voxels), "border_scores": _scores(*band)} if scored else {}
    grid = {} if shape is None else {"shape": shape, "spacing": (2.0,) * len(shape)}
    return CaseCounts(
        case=name,
        **({} if of_class is None else {"of_class": of_class}),
        subject=name if subject is None else subject,
        group=name if group is None else group,
        counts={
            "dice": OverlapCounts(tp=tp, fp=fp, fn=fn),
            "cldice": _filled(CentrelineCounts, lines),
            "nsd": _filled(SurfaceCounts, borders),
            "hd95": Distance(value=None if sizes.count(0) == 1 else distance),
        },
        baseline=_filled(OverlapCounts, first),
        conformal=None if conformal is None else _filled(RecallCounts, conformal),
        bins=_bins(tp, fp, fn, voxels),
        border_bins=_bins(*band),
        **scores,
        **grid,
    )


def _part(size: int, share: int) -> int:
    """The voxels of a skeleton or border: one in so many of the mask, at least one of a mask with foreground."""
    return max(size // share, min(size, 1))


def _filled[C: MeasureCounts](kind: type[C], counts: tuple[int, ...]) -> C:
    """Counts in the order of their fields."""
    return kind.model_validate(dict(zip(kind.model_fields, counts, strict=True)))


def _bins(tp: int, fp: int, fn: int, voxels: int, number_of_bins: int = BINS) -> tuple[BinCounts, ...]:
    """Predicted voxels have a probability of .9, missed ones of .2, the others of .01."""
    rows = [BinCounts(0, 0, 0)] * number_of_bins
    for probability, number, positives in ((90, tp + fp, tp), (20, fn, fn), (1, voxels - tp - fp - fn, 0)):
        place = probability * number_of_bins // 100
        rows[place] = BinCounts(number, number * probability * MILLION // 100, positives)
    return tuple(rows)


def _scores(tp: int, fp: int, fn: int, voxels: int) -> ScoreCounts:
    """The scores of the same probabilities."""
    likely = ((tp, 0.9), (fp, 0.1), (fn, 0.2), (voxels - tp - fp - fn, 0.99))
    sums = {name: sum(number * loss(one) for number, one in likely) for name, loss in LOSSES.items()}
    return ScoreCounts(
        brier=round(sums["brier"] * MILLION),
        nll=round(sums["nll"] * MILLION),
        bins=_bins(tp, fp, fn, voxels, FINE_BINS),
    )


def counted_evaluation(
    cases: Sequence[CaseCounts],
    analysis: AnalysisPlan,
    *,
    model: str,
    data: str,
    request: str,
    look: int = 1,
    looks: int | None = None,
) -> EvaluationRecord:
    """The record of these cases by this plan."""
    plan = EvaluationPlan(
        analysis=analysis,
        model=model,
        data=data,
        request=request,
        thresholds=(ClassThresholds(baseline=IntensityThreshold(threshold=1.0)),),
        look=look,
        looks=looks,
        groups={case.case: case.group for case in cases},
    )
    return record_of(cases, plan)
