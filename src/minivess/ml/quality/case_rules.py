"""Rules about one case: its image, its mask, and how the two fit, judged from its measures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minivess.ml.quality.case_measures import SPECK, Measures, number_type
from minivess.records.data.dataset import CaseRecord
from minivess.records.data.findings import Found
from minivess.records.models.intended_use import SIGNAL_PERCENTILES

_FULL_SCALE = 0.01
_PILE = 4.0
_FLOOR = 0.5
_LEVELS = 32
_CONTRAST = 0.25
_SHARE = (0.001, 0.60)
_STEP_OF_SPREAD, _STEP_OF_TYPICAL = 0.5, 6.0
_CUT_SIZE, _CUT_CONTRAST = 0.3, 0.5


def findings(record: CaseRecord, measured: Measures) -> Iterator[Found]:
    """Everything the rules about single cases notice."""
    if record.identifiers:
        yield Found("identifiers", record.id, ", ".join(record.identifiers))
    yield from _values(record, measured)
    yield from _planes(record, measured)
    yield from _mask(record, measured)
    yield from _mask_planes(record, measured)


def _values(record: CaseRecord, measured: Measures) -> Iterator[Found]:
    volume = len(record.grid) == 3
    if measured.not_finite:
        plane = measured.not_finite_plane if volume else None
        yield Found("image-finite", record.id, f"{measured.not_finite} voxels are NaN or infinite", plane=plane)
    if measured.minimum == measured.maximum:
        yield Found("image-varies", record.id, f"every voxel is {measured.minimum:g}")
        return
    alike = max(measured.at_minimum, measured.at_maximum)
    if 100 * (1 - alike) < SIGNAL_PERCENTILES[0]:
        message = f"{100 * alike:.2f} % of the voxels have one value; an intensity range needs 0.5 % that differ"
        yield Found("capability-contrast", record.id, message)
    dtype = number_type(record.source_dtype)
    if dtype.kind in "ui":
        low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
        if measured.minimum < low or measured.maximum > high:
            yield Found(
                "image-range",
                record.id,
                f"values from {measured.minimum:g} to {measured.maximum:g}; {dtype} holds {low:g} to {high:g}",
            )
    saturated = measured.saturated is not None and measured.saturated > _FULL_SCALE
    if saturated and measured.saturated is not None:
        message = f"{100 * measured.saturated:.1f} % of the voxels are saturated"
        yield Found(
            "image-saturated",
            record.id,
            message,
            plane=measured.saturated_plane if volume else None,
            value=100 * measured.saturated,
            measure="% saturated",
        )
    many = measured.levels is None or measured.levels >= _LEVELS
    piled = measured.pile is None or measured.pile > _PILE
    if not saturated and many and piled and measured.at_maximum > _FULL_SCALE:
        message = f"{100 * measured.at_maximum:.1f} % of the voxels are at the largest value, {measured.maximum:g}"
        value = 100 * measured.at_maximum
        yield Found("image-clipped", record.id, message, value=value, measure="% at the largest value")
    if measured.at_minimum > _FLOOR:
        message = f"{100 * measured.at_minimum:.0f} % of the voxels are at the smallest value, {measured.minimum:g}"
        value = 100 * measured.at_minimum
        yield Found("image-floor", record.id, message, value=value, measure="% at the smallest value")
    if not many:
        message = f"{measured.levels} different values"
        yield Found("levels-few", record.id, message, value=measured.levels, measure="different values")
    if measured.inside is not None and measured.outside is not None and measured.outside_deviation:
        difference = abs(measured.inside - measured.outside) / measured.outside_deviation
        if difference < _CONTRAST:
            kind = "luma of" if record.axes.endswith("c") else "means of"
            yield Found(
                "contrast-low",
                record.id,
                f"{kind} {measured.inside:.4g} in the mask and {measured.outside:.4g} outside differ by "
                f"{difference:.2f} standard deviations of the outside",
                value=difference,
                measure="standard deviations apart",
            )


def _planes(record: CaseRecord, measured: Measures) -> Iterator[Found]:
    means, constant = measured.plane_means, set(measured.constant_planes)
    number = len(means)
    if number == 1 or len(constant) == number:
        return
    filled = [plane for plane in range(number) if plane not in constant]
    first, last = filled[0], filled[-1]
    if first > 0 or last < number - 1:
        parts = [f"{first} at the beginning"] if first else []
        parts += [f"{number - 1 - last} at the end"] if last < number - 1 else []
        shown = 0 if first else number - 1
        yield Found("stack-truncated", record.id, f"planes of one value: {' and '.join(parts)}", plane=shown)
    inner = [plane for plane in sorted(constant) if first < plane < last]
    if inner:
        yield Found("plane-constant", record.id, f"{_planes_named(inner)} of one value", plane=inner[0])
    repeated = [plane for plane in measured.repeated_planes if plane not in constant]
    if repeated:
        yield Found(
            "plane-repeated", record.id, f"{_planes_named(repeated)} equal to the one before", plane=repeated[0]
        )
    yield from _steps(record, measured, constant)


def _steps(record: CaseRecord, measured: Measures, constant: set[int]) -> Iterator[Found]:
    steps = np.abs(np.diff(measured.plane_means))
    usable = [plane for plane in range(len(steps)) if not {plane, plane + 1} & constant]
    if len(usable) < 4:
        return
    typical = float(np.median(steps[usable]))
    limit = max(_STEP_OF_SPREAD * measured.deviation, _STEP_OF_TYPICAL * typical)
    sharp = [plane for plane in usable if steps[plane] > limit]
    if sharp:
        worst = max(sharp, key=lambda plane: float(steps[plane]))
        before, after = measured.plane_means[worst], measured.plane_means[worst + 1]
        message = f"the mean goes from {before:.4g} to {after:.4g} between planes {worst} and {worst + 1}"
        more = f"; {len(sharp)} such steps in all" if len(sharp) > 1 else ""
        yield Found("intensity-step", record.id, message + more, plane=worst + 1)


def _mask(record: CaseRecord, measured: Measures) -> Iterator[Found]:
    marked = measured.foreground
    share = marked / measured.voxels
    if marked == 0:
        yield Found("mask-empty", record.id, "no voxel is marked")
    elif marked == measured.voxels:
        yield Found("mask-full", record.id, "every voxel is marked")
    elif not _SHARE[0] <= share <= _SHARE[1]:
        message = f"{100 * share:.3g} % of the voxels are marked"
        yield Found("mask-share", record.id, message, value=100 * share, measure="% marked")
    if not np.isclose(share, record.foreground_fraction, atol=1e-9):
        yield Found("arrays-match", record.id, "the record's share of foreground is not the mask's")
    declared = {one.value for one in record.classes}
    undeclared = sorted(set(measured.class_voxels) - declared)
    if undeclared:
        voxels = sum(measured.class_voxels[value] for value in undeclared)
        yield Found("mask-undeclared", record.id, f"{voxels} voxels with {_listed(undeclared)}")
    met = {*record.label_values} - {0, *declared}
    if met and len(record.label_values) > len(declared) + 1:
        yield Found(
            "mask-grey",
            record.id,
            f"the source mask holds {len(record.label_values)} values: {_listed(record.label_values)}",
        )
    names = {one.value: one.name for one in record.classes}
    for value, parts in sorted(measured.components.items()):
        if parts.specks:
            of = f" of {names.get(value, value)}" if len(measured.components) > 1 else ""
            yield Found(
                "mask-specks",
                record.id,
                f"{parts.specks} of {parts.number} components{of} have fewer than {SPECK} voxels; the largest has "
                f"{parts.largest} ({100 * parts.largest / parts.voxels:.0f} %)",
                plane=parts.speck_plane if len(record.grid) == 3 else None,
                value=parts.specks,
                measure=f"components of fewer than {SPECK} voxels",
            )


def _mask_planes(record: CaseRecord, measured: Measures) -> Iterator[Found]:
    counts = np.asarray(measured.plane_foreground)
    filled = np.flatnonzero(counts)
    if len(counts) == 1 or not len(filled):
        return
    first, last = int(filled[0]), int(filled[-1])
    gaps = [plane for plane in range(first, last) if not counts[plane]]
    if gaps:
        yield Found("mask-gap", record.id, f"{_planes_named(gaps)} without mask", plane=gaps[0])
    constant = set(measured.constant_planes)
    typical = float(np.median(counts[filled]))
    for plane, beyond, left, unmarked in (
        (first, first - 1, measured.goes_on_before, first),
        (last, last + 1, measured.goes_on_after, len(counts) - 1 - last),
    ):
        abrupt = counts[plane] >= _CUT_SIZE * typical and beyond not in constant
        if left is not None and left >= _CUT_CONTRAST and abrupt:
            yield Found(
                "mask-cut-off",
                record.id,
                f"the mask ends at plane {plane} with {counts[plane]} voxels; {unmarked} further planes are unmarked, and "
                f"{100 * min(left, 9.99):.0f} % of its contrast continue",
                plane=beyond,
            )


def _planes_named(planes: list[int]) -> str:
    if len(planes) == 1:
        return f"plane {planes[0]} is"
    return f"{len(planes)} planes are (from {planes[0]} to {planes[-1]})"


def _listed(values: tuple[int, ...] | list[int]) -> str:
    if len(values) <= 6:
        return ", ".join(map(str, values))
    return f"{', '.join(map(str, values[:3]))}, … {values[-2]}, {values[-1]}"
