"""The cases in the order of how suspicious their masks are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from minivess.foundation.digests import Digest
from minivess.foundation.implements import implements
from minivess.ml.quality.suspects.cross_fitting import Expected
from minivess.ml.quality.suspects.mask_quality import MaskQuality, Region, mask_quality
from minivess.records.evaluation.suspects import FORMAT, PredictorName, SuspectCase, SuspectRegion, SuspectsRecord

METHODS: Mapping[PredictorName, str] = {
    "cross-fitted": (
        "Logistic regression of voxels on brightness, edges, ridges and place, fitted to the other groups (at most five folds). "
        "Quality: soft minimum of the probability of the stated class, temperature 0.1 (Lad & Mueller 2023, arXiv 2307.05080)."
    ),
    "model": (
        "The exported model, on cases that it did not learn from. Quality: soft minimum of the probability of the stated class, "
        "temperature 0.1 (Lad & Mueller 2023, arXiv 2307.05080)."
    ),
}
"""How the order is made, for people."""


@implements("REQ-408")
def ranked(
    cases: Iterable[Expected],
    *,
    groups: Mapping[str, str],
    classes: Sequence[str],
    data: Digest,
    predictor: PredictorName,
    seed: int,
    model: Digest | None = None,
) -> SuspectsRecord:
    """The record of all cases, the most suspicious first; of equal ones the first by name.

    Args:
        cases: what a predictor that has not seen the case expects.
        groups: the independent group of each case.
        classes: names of the classes beside the background, in the order of their numbers.
        data: root of the manifest.
        predictor: its kind.
        seed: of folds and draws.
        model: the exported model, where it is the predictor.
    """
    names = ("background", *classes)
    found = []
    for one in cases:
        quality = mask_quality(one.probabilities, one.label)
        found.append(_case(one, quality, groups[one.name], names))
    return SuspectsRecord(
        format=FORMAT,
        data=data,
        predictor=predictor,
        model=model,
        method=METHODS[predictor],
        seed=seed,
        cases=tuple(sorted(found, key=lambda case: (case.quality, case.case))),
    )


def _case(one: Expected, found: MaskQuality, group: str, names: Sequence[str]) -> SuspectCase:
    return SuspectCase(
        case=one.name,
        group=group,
        quality=round(found.quality, 6),
        disagreement=round(found.disagreement, 6),
        region=None if found.region is None else _region(found.region, one.step, names),
    )


def _region(region: Region, step: int, names: Sequence[str]) -> SuspectRegion:
    """A region on the grid of the case, of which a predictor may have seen a coarser one along y and x."""
    axes = len(region.start)
    steps = [step if axis >= axes - 2 else 1 for axis in range(axes)]
    return SuspectRegion(
        start=tuple(place * size for place, size in zip(region.start, steps, strict=True)),
        stop=tuple(place * size for place, size in zip(region.stop, steps, strict=True)),
        voxels=region.voxels * step * step,
        labelled=names[region.labelled],
        expected=names[region.expected],
    )
