"""The plan of an evaluation on small volumes: a tolerance of 2 µm, a mask threshold of .5 and few draws."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.records.evaluation.evaluation import (
    AnalysisPlan,
    Conventions,
    Criterion,
    EvaluationPlan,
    Looks,
    Statistics,
)


def analysis_plan(*criteria: Criterion, bootstrap: int = 200, statistics: Statistics = "mean of cases") -> AnalysisPlan:
    """The analysis alone, with these criteria."""
    unit = "group" if statistics == "mean of groups" else "subject"
    return AnalysisPlan(
        mask_threshold=0.5,
        conventions=Conventions(
            tolerance=2.0, unit="um", bootstrap=bootstrap, bootstrap_unit=unit, statistics=statistics
        ),
        seed=0,
        looks=Looks(),
        criteria=criteria,
    )


def evaluation_plan(
    analysis: AnalysisPlan, *, digest: str, request: str, cases: Iterable[str], baseline_threshold: float = 1.0
) -> EvaluationPlan:
    """The plan of a model and data that have the same digest. Each of the cases is a group of its own."""
    return EvaluationPlan(
        analysis=analysis,
        model=digest,
        data=digest,
        request=request,
        baseline_threshold=baseline_threshold,
        groups={name: name for name in cases},
    )
