"""The figures of a profile, laid out for drawing: bars of histograms and a dot a case for each figure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from minivess.records.data.profile import CaseProfile, DatasetProfile, GroupProfile, Histogram

MOST_DOTS = 400
"""Cases that are drawn of a figure; of more, so many evenly by rank."""
WIDE, TALL = 640, 150
"""Size of a histogram's drawing."""


@dataclass(frozen=True)
class Bars:
    """A histogram to draw: an SVG path in a box of `WIDE` × `TALL`, and the values at its ends and in the middle."""

    name: str
    path: str
    ticks: tuple[str, str, str]
    summary: str


@dataclass(frozen=True)
class Dot:
    """One case: its place from 0 to 1, and its value in words."""

    case: str
    place: float
    text: str


@dataclass(frozen=True)
class Strip:
    """One figure over all cases."""

    name: str
    unit: str
    dots: tuple[Dot, ...]
    low: str
    high: str
    median: str
    median_place: float
    undefined: int
    cases: int
    """Cases that have the figure; at most `MOST_DOTS` are drawn."""

    @property
    def drawn(self) -> int:
        """How many cases are drawn."""
        return len(self.dots)


@dataclass(frozen=True)
class Charts:
    """Everything that is drawn of a profile."""

    whole: Bars
    parts: tuple[Bars, ...]
    strips: tuple[Strip, ...]


def charts(profile: DatasetProfile) -> Charts:
    """Lay out the figures of a profile."""
    first, *rest = profile.groups
    shown = (
        ("Median intensity", "", [one.quantiles.p50 for one in profile.cases]),
        ("Foreground", "%", [100 * one.foreground for one in profile.cases]),
        ("Noise σ", "", [one.noise for one in profile.cases]),
        ("Signal to noise", "", [one.snr for one in profile.cases]),
        ("Contrast to noise", "", [one.cnr for one in profile.cases]),
        ("Sharpness", "", [one.sharpness for one in profile.cases]),
    )
    strips = [_strip(name, unit, profile.cases, values) for name, unit, values in shown]
    return Charts(_bars(first), tuple(_bars(group) for group in rest), tuple(one for one in strips if one is not None))


def figure(value: float | None, digits: int = 3) -> str:
    """A number in at most so many significant digits, never in powers of ten unless it is very large or small."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -5 <= size < 7:
        text = f"{value:.{max(0, digits - 1 - size)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{digits - 1}e}"


def _bars(group: GroupProfile) -> Bars:
    histogram = group.histogram
    top = math.sqrt(max(1, *histogram.counts))
    width = WIDE / len(histogram.counts)
    parts = []
    for index, count in enumerate(histogram.counts):
        if count:
            height = max(0.5, (TALL - 2) * math.sqrt(count) / top)
            parts.append(f"M{index * width:.2f} {TALL}v{-height:.2f}h{width:.2f}v{height:.2f}z")
    low, high = _edge(histogram, 0), _edge(histogram, len(histogram.counts))
    spread = group.intensity["p50"]
    name = group.name if group.kind == "set" else f"{group.kind}: {group.name}"
    return Bars(
        name,
        "".join(parts),
        (figure(low, 4), figure((low + high) / 2, 4), figure(high, 4)),
        f"Histogram of {group.voxels} values from {figure(low, 4)} to {figure(high, 4)} in bins of "
        f"{figure(histogram.width, 4)}; the medians of the cases go from {figure(spread.minimum)} to {figure(spread.maximum)}",
    )


def _edge(histogram: Histogram, index: int) -> float:
    return (histogram.first + index) * histogram.width


def _strip(
    name: str, unit: str, cases: tuple[CaseProfile, ...], values: list[float | None] | list[float]
) -> Strip | None:
    known = [(case.case, value) for case, value in zip(cases, values, strict=True) if value is not None]
    if not known:
        return None
    ordered = sorted(value for _, value in known)
    low, high = ordered[0], ordered[-1]
    middle = ordered[len(ordered) // 2] if len(ordered) % 2 else sum(ordered[len(ordered) // 2 - 1 :][:2]) / 2
    suffix = f" {unit}" if unit else ""

    def place(value: float) -> float:
        return round((value - low) / (high - low), 4) if high > low else 0.5

    return Strip(
        name,
        unit,
        tuple(Dot(case, place(value), f"{case}: {figure(value)}{suffix}") for case, value in _evenly(known)),
        f"{figure(low)}{suffix}",
        f"{figure(high)}{suffix}",
        f"{figure(middle)}{suffix}",
        place(middle),
        len(cases) - len(known),
        len(known),
    )


def _evenly(known: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """At most `MOST_DOTS` cases, evenly by rank; the smallest and the largest are among them."""
    if len(known) <= MOST_DOTS:
        return known
    ranked = sorted(known, key=lambda one: (one[1], one[0]))
    return [ranked[round(number * (len(ranked) - 1) / (MOST_DOTS - 1))] for number in range(MOST_DOTS)]
