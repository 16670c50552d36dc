"""Images that show the same object, whatever was done to one of them.

Every image is compared with every other by its fingerprints (`spectra`); pairs that rank high are laid on each other
(`registration`), and only what then fits is reported, with how it fits. Found are copies that were shifted (to a tenth
of the width), cropped (to 80 % a side, enlarged or not), resized, re-encoded, noised or smoothed, changed in
brightness, contrast or gamma, mirrored, turned by quarter turns, by up to 15°, or scaled by 10 %, and combinations. What
is outside a field of view does not count. Not found are negatives, copies turned by other angles, bent ones, and parts
of less than about two thirds of a side. Of volumes, small angles about the first axis are found.

The thresholds stand in the gap that trials left (`benchmarks/data.py`, part "near-duplicates"): copies fit at 0.97 and
more with an evidence of 20 and more; different images of one kind reached a fit of 0.67 where there was little to see,
and an evidence of 10.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from minivess.foundation.digests import digest_json
from minivess.foundation.implements import implements
from minivess.ml.quality.duplicates.candidates import candidates
from minivess.ml.quality.duplicates.image_registration import Alignment, Array, align, overlay, place
from minivess.ml.quality.duplicates.spectra import fingerprints, hypotheses, meaning_of
from minivess.ml.quality.duplicates.views import View, views
from minivess.records.data.likeness import Likeness, NearDuplicate
from minivess.records.sinks import Progress

COPY = 0.6
"""From this score on one image is a copy of the other."""
ALIKE = 0.38
"""From this score on two images are similar: reported, and kept in one part."""
EVIDENCE = 12.0
"""Standard deviations from chance that a fit must reach, whatever its score."""
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
_TRIED = 2


_VERSION = 3
"""Raised by each change that can change what is found."""


def method() -> str:
    """Digest of the method's version and thresholds: a kept search holds for the same method only."""
    return digest_json(["near-duplicates", _VERSION, COPY, ALIKE, EVIDENCE])


@dataclass(frozen=True)
class _Image:
    name: str
    digest: bytes
    shape: tuple[int, ...]
    views: tuple[View, ...]


@dataclass(frozen=True)
class _Fit:
    """Two views laid on each other."""

    first: View
    second: View
    alignment: Alignment


@implements("REQ-085", "REQ-293")
def find(
    images: Iterable[tuple[str, npt.NDArray[np.generic]]], *, progress: Progress | None = None
) -> tuple[NearDuplicate, ...]:
    """Find all pairs of images that show the same object, in order of the images.

    Images are taken one at a time and not kept. Of each image at most twelve likely partners are looked at, on all cores.

    Args:
        images: id and array, (y, x) or (z, y, x), with or without colours last (see `views`).
        progress: hears about each image and each pair.

    Raises:
        UsageError: an array has another number of axes.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        known, prints = _read(images, progress)
        pairs = candidates(prints)
        found = list(_identical(known))
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # the library calls release the interpreter
            for done, (pair, record) in enumerate(pool.map(lambda pair: (pair, _judged(pair, known, prints)), pairs)):
                if progress is not None:
                    progress("near duplicates", done, len(pairs))
                if record is not None:
                    found.append((pair, record))
    if progress is not None:
        progress("near duplicates", len(pairs), len(pairs))
    return tuple(record for _, record in sorted(found, key=lambda item: item[0]))


def _read(
    images: Iterable[tuple[str, npt.NDArray[np.generic]]], progress: Progress | None
) -> tuple[list[_Image], list[Array]]:
    known: list[_Image] = []
    prints: list[Array] = []
    for name, array in images:
        if progress is not None:
            progress("fingerprints", len(known), 0)
        seen = views(array)
        digest = hashlib.sha256(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes()).digest()
        known.append(_Image(name, digest, array.shape, seen))
        prints.append(np.stack([fingerprints(view.grey) for view in seen]))
    return known, prints


def _identical(known: list[_Image]) -> Iterator[tuple[tuple[int, int], NearDuplicate]]:
    first: dict[bytes, int] = {}
    for index, image in enumerate(known):
        other = first.setdefault(image.digest, index)
        if other != index:
            yield (
                (other, index),
                NearDuplicate(
                    cases=(known[other].name, image.name), kind=Likeness.IDENTICAL, score=1.0, detail="the same numbers"
                ),
            )


def _judged(pair: tuple[int, int], known: list[_Image], prints: list[Array]) -> NearDuplicate | None:
    one, other = known[pair[0]], known[pair[1]]
    fit = None if one.digest == other.digest else _verify(pair, known, prints)
    return None if fit is None else _described(one, other, fit)


def _verify(pair: tuple[int, int], known: list[_Image], prints: list[Array]) -> _Fit | None:
    """How two images lie on each other, or None when they do not fit."""
    rough = []
    for first, second, hypothesis in _hypotheses(*pair, known, prints):
        angle, turns, scale = meaning_of(hypothesis)
        rough += [(first, second, place(first.flat, second.flat, angle, turn, scale)) for turn in turns]
    first, second, best = max(rough, key=lambda item: item[2].correlation)
    found = align(first.flat, second.flat, best)
    if found is None or found.score < ALIKE or found.evidence < EVIDENCE:
        return None
    return _Fit(first, second, found)


def _hypotheses(a: int, b: int, known: list[_Image], prints: list[Array]) -> list[tuple[View, View, int]]:
    """The best guesses how a view of one image lies on a view of the other, the smaller on the larger."""
    guesses = []
    for fixed, moving in ((a, b), (b, a)):
        for view, its in zip(known[moving].views, prints[moving], strict=True):
            scores = prints[fixed][:, 0] @ hypotheses(its).T
            for number in np.argsort(-scores, axis=None, kind="stable")[:_TRIED]:
                row, hypothesis = divmod(int(number), scores.shape[1])
                guesses.append((float(scores[row, hypothesis]), known[fixed].views[row], view, hypothesis))
    guesses.sort(key=lambda guess: -guess[0])
    return [guess[1:] for guess in guesses[:_TRIED]]


def _described(one: _Image, other: _Image, fit: _Fit) -> NearDuplicate:
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
