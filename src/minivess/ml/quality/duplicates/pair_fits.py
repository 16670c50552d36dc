"""How two images lie on each other, and whether one is a copy of the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from minivess.ml.quality.duplicates.image_registration import Alignment, Array, align, overlay, place
from minivess.ml.quality.duplicates.spectra import best_guesses, hypotheses, meaning_of
from minivess.ml.quality.duplicates.views import View
from minivess.records.data.likeness import Likeness, NearDuplicate

COPY = 0.6
"""From this score on one image is a copy of the other."""
ALIKE = 0.38
"""From this score on two images are similar: reported, and kept in one part."""
CLEAR = 0.9
"""From this score on a fit is clear."""
EVIDENCE = (12.0, 14.0)
"""Standard deviations from chance that a fit must reach: one that is clear, and any other."""
_TURNED = (
    "upright",
    "turned by a quarter",
    "turned by half",
    "turned by a quarter",
    "mirrored left to right",
    "mirrored along a diagonal",
    "mirrored top to bottom",
    "mirrored along the other diagonal",
)
_TILTED = 0.5
_TRIED = ((False, 2), (True, 1))
"""How many guesses are tried: of frames that are not from the side, and of those that are."""


@dataclass(frozen=True)
class ComparedImage:
    """What is kept of an image for the comparison.

    Attributes:
        name: the id of its case.
        digest: SHA-256 of its shape and numbers.
        views: its frames.
        prints: fingerprints of the frames, (views, scales, length).
    """

    name: str
    digest: bytes
    views: tuple[View, ...]
    prints: Array

    def frames(self, from_the_side: bool) -> list[int]:
        """The positions of the views that are from the side, or of the others."""
        return [place for place, view in enumerate(self.views) if view.from_the_side == from_the_side]


@dataclass(frozen=True)
class _Fit:
    """Two views laid on each other."""

    first: View
    second: View
    alignment: Alignment


def judged(pairs: Sequence[tuple[ComparedImage, ComparedImage]]) -> list[NearDuplicate | None]:
    """For each pair, how the images lie on each other; None where they do not fit, and where they are identical."""
    return list(_judged(pairs))


def _judged(pairs: Sequence[tuple[ComparedImage, ComparedImage]]) -> Iterator[NearDuplicate | None]:
    turned: tuple[str, Array] | None = None  # of the first image of the pair before: pairs come in order
    for one, other in pairs:
        if one.digest == other.digest:
            yield None
            continue
        if turned is None or turned[0] != one.name:
            turned = one.name, np.stack([hypotheses(its) for its in one.prints])
        fit = _verify(one, other, turned[1])
        yield None if fit is None else _described(one, other, fit)


def _verify(one: ComparedImage, other: ComparedImage, turned: Array) -> _Fit | None:
    """How two images lie on each other, or None when they do not fit; `turned` are all hypotheses of the first."""
    rough = []
    for side, count in _TRIED:
        own, others = one.frames(side), other.frames(side)
        if not own or not others:
            continue
        for _, own_moves, its, mine, hypothesis in best_guesses(other.prints[others], turned[own], count):
            seen = other.views[others[its]], one.views[own[mine]]
            fixed, moving = seen if own_moves else seen[::-1]
            angle, turns, scale = meaning_of(hypothesis)
            rough += [(fixed, moving, place(fixed.flat, moving.flat, angle, turn, scale)) for turn in turns]
    first, second, best = max(rough, key=lambda item: item[2].correlation)
    found = align(first.flat, second.flat, best)
    if found is None or found.score < ALIKE or found.evidence < EVIDENCE[found.score < CLEAR]:
        return None
    return _Fit(first, second, found)


def _described(one: ComparedImage, other: ComparedImage, fit: _Fit) -> NearDuplicate:
    found = fit.alignment
    larger = max(fit.first.flat.shape)
    shift = max(abs(value) for value in found.shift) / larger
    moved, scaled = shift > 0.002, abs(found.scale - 1) > 0.01
    areas = fit.second.flat.size * found.scale**2 / fit.first.flat.size
    kind = Likeness.RE_ENCODED
    if found.score < COPY:
        kind = Likeness.SIMILAR
    elif found.turn or abs(found.angle) > _TILTED:
        kind = Likeness.TURNED
    elif scaled or not 0.98 < areas < 1.02:
        kind = Likeness.CROPPED
    elif moved:
        kind = Likeness.SHIFTED
    elif _restained(fit):
        kind = Likeness.BRIGHTENED
    said = [_TURNED[found.turn]] if found.turn else []
    said += [f"turned by {found.angle:.1f}°"] if abs(found.angle) > _TILTED else []
    said += [f"one at {100 * found.scale:.0f} % of the other's scale"] if scaled else []
    said += [f"apart by {100 * shift:.1f} % of the width"] if moved else []
    said += [f"{100 * found.overlap:.0f} % in common"] if found.overlap < 0.995 else []
    if fit.first.of != "image":
        said.append(
            f"seen in {fit.first.of}" if fit.first.of == fit.second.of else f"{fit.first.of} on {fit.second.of}"
        )
    return NearDuplicate(
        cases=(one.name, other.name),
        kind=kind,
        score=min(1.0, round(found.score, 3)),
        detail=", ".join(said) or "in the same place",
    )


def _restained(fit: _Fit) -> bool:
    """Whether brightness or contrast differ by more than a twentieth of the contrast, fine detail apart."""
    from scipy.ndimage import gaussian_filter

    common = overlay(fit.first.grey, fit.second.grey, fit.alignment.scale, fit.alignment.shift)
    if common is None:
        return False
    one, other = (gaussian_filter(array, 3.0) for array in common)
    spread = float(one.std())
    return abs(float(one.mean() - other.mean())) > 0.05 * spread or abs(float(other.std()) - spread) > 0.05 * spread
