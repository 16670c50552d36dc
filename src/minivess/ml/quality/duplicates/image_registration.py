"""Laying one picture over another: turned by any small angle and quarter turns, mirrored, scaled and shifted.

Pictures are compared as frames: grey, at most 128 pixels a side, band-passed and divided by the local contrast, so
that brightness, contrast, gamma, shading and mild noise or compression hardly count. Where one frame lies on another is
found by correlation in the Fourier domain (Kuglin and Hines 1975), then refined by the simplex search of Nelder and
Mead (1965). How well it fits is the median correlation over tiles: a common border, a logo or a burnt-in text fills a
few tiles and does not move a median.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

Array = npt.NDArray[np.float32]

Box = tuple[float, float, float, float]
"""Top, left, bottom and right, in pixels."""

SIDE = 128
"""Pixels on the longer side of a frame."""
FINE, COARSE = 1.0, 6.0
"""The band of a frame: standard deviations of two Gaussians, in pixels."""
_TILES = 6
_FEWEST_TILES = 8
_TEXTURED = 0.3
_MARGIN = int(COARSE)
_NARROWEST = 30
_SMALLEST_OVERLAP = 0.5
_HOPELESS = 0.2
_EARLY = 20
"""Tries after which a refinement that leads nowhere ends."""
_FAINT = (4.5, 6.0)
"""Standard deviations from chance that the correlation must reach roughly placed, and after so many tries."""
_EVEN_FIT = 0.6
"""Least lower quartile of the tiles' correlations, as a share of their median: what fits in one place only is no copy."""
_CERTAIN = 20.0
"""From this evidence on an uneven fit counts as well."""
_FARTHEST = 0.25
_UPRIGHT = 0.05
_EVEN = 0.03
_BORDERED = 0.1
_SMALLEST_FIELD = 0.2
_SCALES = (0.7, 1.4)


@dataclass(frozen=True)
class Alignment:
    """How a second frame lies on a first.

    Attributes:
        angle: by how many degrees against the clock the second frame was turned first.
        turn: what was done to it then: quarter turns against the clock (0 to 3), or the same after mirroring
            left to right (4 to 7).
        scale: size of the second's content on the first's grid.
        shift: (rows, columns) from the first's centre to the second's, in pixels of the first.
        overlap: common area as a share of the smaller frame's area.
        score: median over tiles of the normalised cross-correlation, -1 to 1.
        evidence: how many standard deviations the score is from chance, given how much there is to see.
    """

    angle: float
    turn: int
    scale: float
    shift: tuple[float, float]
    overlap: float
    score: float
    evidence: float


@dataclass(frozen=True)
class Placement:
    """Roughly where a second frame lies on a first: fields of `Alignment`, and the correlation."""

    angle: float
    turn: int
    scale: float
    shift: tuple[float, float]
    correlation: float


def place(first: Array, second: Array, angle: float, turn: int, scale: float) -> Placement:
    """Find roughly where the second frame, turned and scaled as given, lies on the first (both flattened)."""
    moving = turned(tilted(second, angle), turn)
    shift = _place(first, moving, scale)
    return Placement(angle, turn, scale, shift, -_misfit(np.array([scale, *shift, 0.0]), first, moving, 0))


def align(first: Array, second: Array, rough: Placement) -> Alignment | None:
    """Refine scale and shift of a placement and judge how well the frames fit; None when they clearly do not."""
    from scipy.optimize import minimize

    common = overlay(first, turned(tilted(second, rough.angle), rough.turn), rough.scale, rough.shift)
    if common is None or rough.correlation < _HOPELESS:
        return None
    spread = math.sqrt(max(0.0, _independent(*common) - 3))
    least = [math.tanh(min(evidence / max(spread, 1e-6), 9.0)) for evidence in _FAINT]
    if rough.correlation < least[0]:
        return None
    start = np.array([rough.scale, *rough.shift, rough.angle])
    steps = np.vstack([np.zeros(4), np.diag([0.02 * rough.scale, 0.8, 0.8, 1.0])])
    tried, faint = 0, False

    def misfit(guess: npt.NDArray[np.float64]) -> float:
        nonlocal tried
        tried += 1
        return _misfit(guess, first, second, rough.turn)

    def give_up(intermediate_result: OptimizeResult) -> None:
        nonlocal faint
        faint = tried >= _EARLY and float(intermediate_result.fun) > -least[1]
        if faint:
            raise StopIteration

    found = minimize(
        misfit,
        start,
        method="Nelder-Mead",
        callback=give_up,
        options={"initial_simplex": start + steps, "maxfev": 90, "xatol": 2e-3, "fatol": 1e-4},
    )
    if faint:
        return None
    scale, down, across, angle = (float(value) for value in found.x)
    moving = turned(tilted(second, angle), rough.turn)
    score, overlap, evidence = _judge(first, moving, scale, (down, across))
    return Alignment(angle, rough.turn, scale, (down, across), overlap, score, evidence)


def tilted(array: Array, angle: float) -> Array:
    """A flattened picture turned by degrees against the clock about its centre; what comes into view is 0."""
    if abs(angle) < _UPRIGHT:
        return array
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(array, np.float32))
    return np.asarray(image.rotate(angle, Image.Resampling.BILINEAR), np.float32)


def turned(array: Array, turn: int) -> Array:
    """A picture after one of the eight turns (see `Alignment.turn`)."""
    return np.rot90(array if turn < 4 else array[:, ::-1], turn % 4)


def flatten(picture: Array, fine: float, coarse: float) -> Array:
    """Band-pass between two Gaussians (standard deviations in pixels), then divide by the local contrast.

    Outside the field of view (`field_of_view`) and along its edge the result is 0: all round fields are alike there.
    """
    from scipy.ndimage import binary_erosion, gaussian_filter

    field = field_of_view(picture)
    if field is not None:
        weight = field.astype(np.float32)
        smooth = [
            gaussian_filter(picture * weight, sigma) / np.maximum(gaussian_filter(weight, sigma), 1e-3)
            for sigma in (fine, coarse)
        ]
        inner = binary_erosion(field, iterations=max(2, round(coarse / 2)), border_value=1)
        band = np.where(inner, smooth[0] - smooth[1], np.float32(0))
        power = band * band
        share = np.maximum(gaussian_filter(inner.astype(np.float32), coarse, mode="nearest"), 0.05)
        floor = 0.2 * float(np.sqrt(power.sum() / max(1, int(inner.sum())))) + 1e-12
        return np.asarray(band / (np.sqrt(gaussian_filter(power, coarse, mode="nearest") / share) + floor), np.float32)
    band = gaussian_filter(picture, fine, mode="nearest") - gaussian_filter(picture, coarse, mode="nearest")
    power = band * band
    floor = 0.2 * float(np.sqrt(power.mean())) + 1e-12
    return np.asarray(band / (np.sqrt(gaussian_filter(power, coarse, mode="nearest")) + floor), np.float32)


def field_of_view(picture: Array) -> npt.NDArray[np.bool_] | None:
    """The pixels inside the field of view: all but even regions of the lowest or highest grey that touch the border.

    None when there is no such region, or when it leaves less than a fifth of the picture.
    """
    from scipy.ndimage import label

    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    low, high = float(picture.min()), float(picture.max())
    for end in (low, high):
        if np.mean(np.abs(edge - end) <= _EVEN * (high - low)) < _BORDERED:
            continue
        regions, _ = label(np.abs(picture - end) <= _EVEN * (high - low))
        touching = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
        outside = np.isin(regions, touching[touching > 0])
        if _BORDERED / 10 < outside.mean() < 1 - _SMALLEST_FIELD:
            return ~outside
    return None


def resample(picture: Array, shape: tuple[int, int], box: Box | None = None) -> Array:
    """A picture, or a box of it, on another number of pixels: linear, and anti-aliased where pixels become fewer.

    Args:
        picture: grey values, (rows, columns).
        shape: rows and columns of the result.
        box: top, left, bottom and right in pixels of the picture, not rounded; pixels around it count at its edges.
    """
    from PIL import Image

    edges = None if box is None else (box[1], box[0], box[3], box[2])
    image = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, edges), np.float32)


def overlay(first: Array, moving: Array, scale: float, shift: tuple[float, float]) -> tuple[Array, Array] | None:
    """The rectangle both have in common, from each, on the first's grid; None when it is narrower than 30 pixels."""
    spans = [
        _common(size, other, other / 2 - (size / 2 + offset) / scale, scale)
        for size, other, offset in zip(first.shape, moving.shape, shift, strict=True)
    ]
    (top, bottom, upper, lower), (left, right, near, far) = spans
    if bottom - top < _NARROWEST or right - left < _NARROWEST:
        return None
    covered = resample(moving, (bottom - top, right - left), (upper, near, lower, far))
    return first[top:bottom, left:right], covered


def _common(size: int, other: int, origin: float, scale: float) -> tuple[int, int, float, float]:
    """Along one axis: the pixels of the first that the moving picture covers whole, and where their ends lie on it.

    Args:
        size: pixels of the first picture.
        other: pixels of the moving one.
        origin: where the first's beginning lies on the moving picture, in its pixels.
        scale: pixels of the first for a pixel of the moving picture.
    """
    begin, end = max(0, math.ceil(-origin * scale)), min(size, math.floor((other - origin) * scale))
    return begin, end, max(0.0, origin + begin / scale), min(float(other), origin + end / scale)


def correlation(one: Array, other: Array) -> float:
    """Normalised cross-correlation (Pearson's r) of two pictures of one shape; 0 when one of them is constant."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.sqrt(np.vdot(a, a) * np.vdot(b, b)))
    return float(np.vdot(a, b)) / norm if norm > 0 else 0.0


@lru_cache(maxsize=256)
def _taper(shape: tuple[int, int]) -> Array:
    ramps = [np.minimum(1.0, 8.0 * (0.5 - np.abs((np.arange(n) + 0.5) / n - 0.5))) for n in shape]
    return np.asarray(np.outer(ramps[0], ramps[1]), np.float32)


def _place(first: Array, moving: Array, scale: float) -> tuple[float, float]:
    """Offset of the centres (rows, columns) at which the correlation is highest."""
    from scipy import fft

    rows, columns = (max(8, round(size * scale)) for size in moving.shape)
    small = resample(moving, (rows, columns))
    side = fft.next_fast_len(round(1.2 * max(*first.shape, rows, columns)), real=True)
    spectra = [fft.rfft2(array * _taper(array.shape), (side, side)) for array in (first, small)]
    surface = fft.irfft2(spectra[0] * np.conj(spectra[1]), (side, side))
    # corner offsets become centre offsets
    offsets = [
        np.fft.fftfreq(side, 1 / side) + (size - other) / 2
        for other, size in zip(first.shape, (rows, columns), strict=True)
    ]
    for axis, offset in enumerate(offsets):
        far = np.abs(offset) > _FARTHEST * SIDE
        surface[(far, slice(None)) if axis == 0 else (slice(None), far)] = -np.inf
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    return float(offsets[0][row]), float(offsets[1][column])


def _misfit(guess: npt.NDArray[np.float64], first: Array, second: Array, turn: int) -> float:
    """Minus the correlation of the overlap; the guess is scale, shift (rows, columns) and angle."""
    if not _SCALES[0] < guess[0] < _SCALES[1]:
        return 1.0
    moving = turned(tilted(second, float(guess[3])), turn)
    common = overlay(first, moving, float(guess[0]), (float(guess[1]), float(guess[2])))
    return 1.0 if common is None else -correlation(*common)


@implements("REQ-310")
def _judge(first: Array, moving: Array, scale: float, shift: tuple[float, float]) -> tuple[float, float, float]:
    """The median correlation over the textured tiles of the overlap, the overlap, and the evidence."""
    common = overlay(first, moving, scale, shift)
    if common is None:
        return -1.0, 0.0, 0.0
    overlap = min(1.0, common[0].size / min(first.size, moving.size * scale * scale))
    # near a border the filters see only half of their surroundings, and all borders look alike
    inner = [array[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] for array in common]
    rows, columns = (np.linspace(0, size, _TILES + 1).astype(int) for size in inner[0].shape)
    scores = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            one, other = (array[top:bottom, left:right] for array in inner)
            if min(one.std(), other.std()) > _TEXTURED:
                scores.append(correlation(one, other))
    if len(scores) < _FEWEST_TILES or overlap < _SMALLEST_OVERLAP:
        return -1.0, overlap, 0.0
    lower, score = (float(value) for value in np.quantile(scores, (0.25, 0.5)))
    evidence = math.atanh(min(score, 0.999)) * math.sqrt(max(0.0, _independent(*inner) - 3))
    if lower < _EVEN_FIT * score and evidence < _CERTAIN:
        evidence = 0.0
    return score, overlap, evidence


def _independent(one: Array, other: Array) -> float:
    """How many independent pixels two pictures of one shape are worth (Clifford, Richardson and Hémon 1989).

    The variance of the correlation of two unrelated stationary fields is the sum over all lags of the product of their
    autocorrelations, divided by the number of pixels; Parseval's theorem gives that sum from the spectra.
    """
    from scipy import fft

    shape = [fft.next_fast_len(2 * size, real=True) for size in one.shape]
    powers = [np.abs(fft.fft2(array - array.mean(), shape)).astype(np.float64) ** 2 for array in (one, other)]
    shared = float((powers[0] * powers[1]).mean())
    return one.size * float(powers[0].mean()) * float(powers[1].mean()) / shared if shared > 0 else 0.0
