"""What a data set is like in figures: the reference that later data are compared with.

All figures come from the measures of the survey, so profiling reads no pixel twice. They are rounded to six significant
digits, so that the last bit of a sum does not make another profile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.ml.quality.case_measures import Measures
from minivess.ml.quality.histograms import COARSE, FINE, added
from minivess.ml.quality.survey import Survey, survey
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.profile import CaseProfile, DatasetProfile, GroupProfile, Quantiles, Spread
from minivess.records.sinks import Progress

FORMULAS: Mapping[str, str] = {
    "noise": (
        "σ = √(π/2) · mean |L ∗ I| / 6 with L = [1 −2 1; −2 4 −2; 1 −2 1] in each plane "
        "(Immerkær 1996, doi:10.1006/cviu.1996.0060); edges raise it, denoising lowers it"
    ),
    "snr": "mean of the image in the mask / σ of the noise",
    "cnr": "|mean in the mask − mean outside| / σ of the noise",
    "sharpness": "mean of (squared difference to the neighbour below + to the right) / variance of the image",
    "foreground": "voxels of the mask / all voxels",
    "quantiles": "the smallest value that at least this share of the voxels does not exceed",
    "spread": "smallest, 5th percentile, median, 95th percentile (linear interpolation) and largest over cases",
    "histogram": (
        f"bin i counts first + i ≤ value / width < first + i + 1; the width is the smallest power of two that gives at "
        f"most {FINE} bins for every case and {COARSE} for the group"
    ),
    "colour": "luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)",
}

_Kind = Literal["modality", "site", "scanner"]
_KINDS: tuple[_Kind, ...] = ("modality", "site", "scanner")
_UNKNOWN = "not stated"


def profile(manifest: DatasetManifest, folder: Path, *, progress: Progress | None = None) -> DatasetProfile:
    """Profile a data set from its prepared cases.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        progress: hears about each case.

    Raises:
        RefusedError: a case has been sealed already.
        InputError: no case could be read.
    """
    return summarise(survey(manifest, folder, progress=progress))


@implements("REQ-084")
def summarise(surveyed: Survey) -> DatasetProfile:
    """The profile of a surveyed set.

    Raises:
        InputError: no case could be read.
    """
    measures = surveyed.measures
    known = [case for case in surveyed.manifest.cases if case.id in measures]
    if not known:
        raise InputError("no case could be read", hint="minivess data validate says why")
    groups = [_group("set", "all cases", known, measures)]
    for kind in _KINDS:
        names = sorted({str(getattr(case, kind) or _UNKNOWN) for case in known})
        if names != [_UNKNOWN] and (len(names) > 1 or kind != "modality"):
            groups.extend(
                _group(kind, name, [case for case in known if str(getattr(case, kind) or _UNKNOWN) == name], measures)
                for name in names
            )
    return DatasetProfile(
        dataset=surveyed.manifest.root,
        formulas=dict(FORMULAS),
        groups=tuple(groups),
        cases=tuple(_case(case, measures[case.id]) for case in known),
        left_out=tuple(case.id for case in surveyed.manifest.cases if case.id not in measures),
    )


def _case(record: CaseRecord, measured: Measures) -> CaseProfile:
    noise = measured.noise
    snr = cnr = None
    if noise > 0 and measured.inside is not None:
        snr = _rounded(measured.inside / noise)
        cnr = None if measured.outside is None else _rounded(abs(measured.inside - measured.outside) / noise)
    return CaseProfile(
        case=record.id,
        quantiles=Quantiles(**{name: _rounded(value) for name, value in measured.quantiles.model_dump().items()}),
        mean=_rounded(measured.mean),
        deviation=_rounded(measured.deviation),
        noise=_rounded(noise),
        snr=snr,
        cnr=cnr,
        sharpness=None if measured.sharpness is None else _rounded(measured.sharpness),
        foreground=_rounded(measured.foreground / measured.voxels),
    )


def _group(
    kind: Literal["set", "modality", "site", "scanner"],
    name: str,
    cases: Sequence[CaseRecord],
    measures: Mapping[str, Measures],
) -> GroupProfile:
    single = [_case(case, measures[case.id]) for case in cases]
    intensity = {
        **{name: _spread(getattr(one.quantiles, name) for one in single) for name in Quantiles.model_fields},
        "mean": _spread(one.mean for one in single),
        "deviation": _spread(one.deviation for one in single),
    }
    sizes: dict[str, list[float]] = {}
    spacing: dict[str, list[float]] = {}
    for case in cases:
        axes = case.axes.removesuffix("c")
        for axis, size, distance in zip(axes, case.grid, case.spacing, strict=True):
            sizes.setdefault(axis, []).append(size)
            spacing.setdefault(f"{axis} {case.unit}", []).append(distance)
    voxels: Counter[int] = Counter()
    for case in cases:
        voxels.update(measures[case.id].class_voxels)
    total = max(1, sum(voxels.values()))
    names = {one.value: one.name for case in cases for one in case.classes}
    return GroupProfile(
        kind=kind,
        name=name,
        cases=len(cases),
        subjects=len({case.subject for case in cases}),
        voxels=sum(measures[case.id].voxels for case in cases),
        histogram=added(measures[case.id].histogram for case in cases),
        intensity={name: spread for name, spread in intensity.items() if spread is not None},
        sizes={axis: _sure(found) for axis, found in sorted(sizes.items())},
        spacing={axis: _sure(found) for axis, found in sorted(spacing.items())},
        foreground=_sure(one.foreground for one in single),
        classes={f"{value} {name}": _rounded(voxels[value] / total) for value, name in sorted(names.items())},
        noise=_sure(one.noise for one in single),
        snr=_spread(one.snr for one in single),
        cnr=_spread(one.cnr for one in single),
        sharpness=_spread(one.sharpness for one in single),
    )


def _spread(figures: Iterable[float | None]) -> Spread | None:
    known = [figure for figure in figures if figure is not None]
    return _sure(known) if known else None


def _sure(figures: Iterable[float]) -> Spread:
    values = np.sort(np.array(list(figures), float))
    points = np.quantile(values, (0.05, 0.5, 0.95))
    return Spread(
        cases=len(values),
        minimum=_rounded(float(values[0])),
        p05=_rounded(float(points[0])),
        median=_rounded(float(points[1])),
        p95=_rounded(float(points[2])),
        maximum=_rounded(float(values[-1])),
    )


def _rounded(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")
