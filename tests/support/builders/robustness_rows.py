"""Counts of robustness with a Dice that is stated, made without any image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minivess.records.evaluation.counted.counts import OverlapCounts
from minivess.records.evaluation.evaluation import Conventions, Criterion
from minivess.records.evaluation.robustness import (
    Counted,
    CountedCurve,
    Perturbed,
    PerturbedRow,
    RobustnessFacts,
    RobustnessRecord,
    robustness_of,
)

DIGEST = f"sha256:{'0' * 64}"
NOISE = Perturbed(name="noise", title="Noise", unit="standard deviations", effect="Noise is added.")


def row(case: str, dice: float, *, of_class: str = "vessel", group: str = "") -> PerturbedRow:
    """A case of 100 voxels in prediction and reference each."""
    inside = round(100 * dice)
    return PerturbedRow(
        case=case,
        of_class=of_class,
        subject=case,
        group=group or case,
        voxels=1000,
        counts={"dice": OverlapCounts(tp=inside, fp=100 - inside, fn=100 - inside)},
    )


def facts(*criteria: Criterion, classes: Sequence[str] = ("vessel",)) -> RobustnessFacts:
    """Dice alone, of few resamples."""
    return RobustnessFacts(
        model=DIGEST,
        data=DIGEST,
        part="calibration",
        threshold=0.5,
        conventions=Conventions(
            tolerance=2.0,
            unit="um",
            bootstrap=100,
            bootstrap_unit="group",
            statistics="mean of groups",
            failure_dice=0.5,
        ),
        measures=("dice",),
        classes=tuple(classes),
        criteria=criteria,
        seed=0,
    )


def along(dice: Mapping[str, Sequence[float]], *criteria: Criterion, cases: int = 3) -> RobustnessRecord:
    """Cases whose Dice at the levels 0, 1, 2, … is the same in each.

    Args:
        dice: of each class, at each level.
        criteria: that are required.
        cases: how many.
    """
    levels = range(len(next(iter(dice.values()))))
    counted = [
        Counted(
            level=level,
            rows=tuple(
                row(f"c{number}", values[level], of_class=name)
                for number in range(cases)
                for name, values in dice.items()
            ),
        )
        for level in levels
    ]
    curve = CountedCurve(perturbation=NOISE, levels=tuple(counted[1:]))
    return robustness_of(facts(*criteria, classes=tuple(dice)), counted[0], [curve])
