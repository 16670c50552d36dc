"""The plan of an evaluation on small volumes: a tolerance of 2 µm, a mask threshold of .5 and few draws."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.records.evaluation.evaluation import (
    SCORED,
    AnalysisPlan,
    ClassThresholds,
    Conventions,
    Criterion,
    EvaluationPlan,
    IntensityThreshold,
    Looks,
    Statistics,
)
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask


def analysis_plan(
    *criteria: Criterion, bootstrap: int = 200, statistics: Statistics = "mean of cases", scored: bool = False
) -> AnalysisPlan:
    """The analysis alone, with these criteria, and scores of probabilities where wanted."""
    unit = "group" if statistics == "mean of groups" else "subject"
    return AnalysisPlan(
        mask_threshold=0.5,
        conventions=Conventions(
            tolerance=2.0, unit="um", bootstrap=bootstrap, bootstrap_unit=unit, statistics=statistics
        ),
        seed=0,
        looks=Looks(),
        criteria=criteria,
        **({"scores": SCORED} if scored else {}),
    )


def evaluation_plan(
    analysis: AnalysisPlan,
    *,
    digest: str,
    request: str,
    cases: Iterable[str],
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    thresholds: Iterable[ClassThresholds] = (),
) -> EvaluationPlan:
    """The plan of a model and data that have the same digest. Each of the cases is a group of its own.

    Without thresholds the baseline is 1 for each class, and there is no conformal mask.
    """
    return EvaluationPlan(
        analysis=analysis,
        model=digest,
        data=digest,
        request=request,
        task=task,
        thresholds=tuple(thresholds)
        or (ClassThresholds(baseline=IntensityThreshold(threshold=1.0)),) * len(task.classes),
        groups={name: name for name in cases},
    )
