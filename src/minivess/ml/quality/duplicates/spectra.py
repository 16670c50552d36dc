"""Fingerprints that say which pictures are worth laying on each other.

The magnitude of a Fourier spectrum does not know where things are, so a shifted picture has nearly the same one; when
a picture is turned or mirrored, its spectrum turns along, and half a turn changes nothing (Reddy and Chatterji
1996, IEEE Trans. Image Process. 5:1266, on the Fourier-Mellin transform). What is left to try are four turns, small
angles and the scale. A fingerprint is the square root of the magnitude in the band where pictures of one kind differ,
divided by its mean over each ring (what all of them share) and taken as a unit vector, so that a matrix product
compares all with all.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from minivess.ml.quality.duplicates.image_registration import SIDE, Array, flatten, resample

if TYPE_CHECKING:
    from scipy import sparse

SCALES = (1.0, 0.957, 0.917, 0.877, 0.84, 0.8)
"""Sizes at which every frame is tried on every other."""
ANGLES = (0.0, -4.0, 4.0, -8.0, 8.0, -12.0, 12.0, -16.0, 16.0)
"""Degrees by which every frame is turned on every other."""
_OPPOSITE = [ANGLES.index(-angle) for angle in ANGLES]
HYPOTHESES = len(ANGLES) * len(SCALES) * 4
_SIDE = 64
_RINGS = (3, 26)
_STEPS, _ORDERS = 48, 17
_TURNS = ((0, 2), (1, 3), (4, 6), (5, 7))


def fingerprints(frame: Array) -> Array:
    """Fingerprints of a grey frame at every scale: float32 (scales, length), rows of length one."""
    return np.stack([_fingerprint(frame, scale) for scale in SCALES])


def hypotheses(prints: Array) -> Array:
    """All turned and scaled versions of one frame's fingerprints: float32 (`HYPOTHESES`, length)."""
    tilted = np.stack([prints, *((matrix @ prints.T).T for matrix in _tilts())])
    tilted -= tilted.mean(axis=-1, keepdims=True)
    tilted /= np.maximum(np.linalg.norm(tilted, axis=-1, keepdims=True), 1e-12)
    return tilted[..., _turned_indices()].reshape(HYPOTHESES, -1)


def best_guesses(fixed: Array, moving: Array, count: int) -> list[tuple[float, bool, int, int, int]]:
    """The most likely ways in which a frame of one image lies on a frame of another, the best first.

    A fingerprint that is turned has the same product with another as that one turned back, so only one of the two images
    is turned (`hypotheses`), for both directions.

    Args:
        fixed: fingerprints of the frames of one image, (frames, scales, length).
        moving: the turned and scaled fingerprints of the frames of the other, (frames, `HYPOTHESES`, length).
        count: how many are wanted.

    Returns:
        Score; whether the frame of the other image is the one that is turned and scaled; the frames of the first and of
        the other image; and the hypothesis.
    """
    length = fixed.shape[-1]
    there = moving @ fixed[:, 0].T
    upright = moving.reshape(len(moving), len(ANGLES), len(SCALES), 4, length)[:, :, 0]
    products = upright.reshape(-1, length) @ fixed.reshape(-1, length).T
    back = products.reshape(len(moving), len(ANGLES), 4, len(fixed), len(SCALES)).transpose(0, 3, 1, 4, 2)
    back[..., :2] = back[:, :, _OPPOSITE, :, :2]  # turning back is another angle; mirroring twice is none
    shape = len(moving), len(fixed), HYPOTHESES
    scores = np.stack([there.transpose(0, 2, 1), back.reshape(shape)])
    best = np.argpartition(-scores, count, axis=None)[:count]
    found = []
    for number in sorted(best.tolist(), key=lambda one: (-float(scores.flat[one]), one)):
        way, other, first, hypothesis = (int(place) for place in np.unravel_index(number, scores.shape))
        found.append((float(scores.flat[number]), way == 0, first, other, hypothesis))
    return found


def invariants(prints: Array) -> Array:
    """What neither turning by any angle nor mirroring changes: float32 (scales, length).

    Turning a picture moves its spectrum along each ring, and the magnitudes of the Fourier coefficients along a ring do
    not know where it begins.
    """
    rings = (_polar() @ prints.T).T.reshape(len(prints), -1, _STEPS)
    return np.asarray(np.abs(np.fft.rfft(rings, axis=-1))[..., 1:_ORDERS].reshape(len(prints), -1), np.float32)


def meaning_of(hypothesis: int) -> tuple[float, tuple[int, int], float]:
    """What a row of `hypotheses` is: an angle, two turns (`image_registration.turned`) half a turn apart, and a scale."""
    number, turn = divmod(hypothesis, 4)
    angle, scale = divmod(number, len(SCALES))
    return ANGLES[angle], _TURNS[turn], SCALES[scale]


@lru_cache(maxsize=1)
def _grid() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Ring of every frequency of the centred spectrum without its first row and column, and which are used: one half."""
    steps = np.arange(1 - _SIDE // 2, _SIDE // 2)
    distance = np.hypot(steps[:, None], steps[None])
    upper = (steps[:, None] > 0) | ((steps[:, None] == 0) & (steps[None] > 0))
    return np.rint(distance).astype(np.intp), upper & (distance >= _RINGS[0]) & (distance <= _RINGS[1])


@lru_cache(maxsize=1)
def _tilts() -> tuple[sparse.csr_matrix, ...]:
    """For each angle but the first, the matrix that turns fingerprints by it."""
    centre, (rows, columns) = _SIDE // 2 - 1, np.nonzero(_grid()[1])
    down, across = rows - centre, columns - centre
    turns = [(np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))) for angle in ANGLES[1:]]
    # where the turned picture's frequency lies in the spectrum as it was; rows count downwards
    return tuple(_sampling(cosine * down + sine * across, cosine * across - sine * down) for sine, cosine in turns)


@lru_cache(maxsize=1)
def _polar() -> sparse.csr_matrix:
    """The matrix that samples fingerprints along half circles: rings outermost, `_STEPS` angles each."""
    rings, angles = np.arange(_RINGS[0] + 1, _RINGS[1]), np.arange(_STEPS) * np.pi / _STEPS
    return _sampling(np.outer(rings, np.sin(angles)).ravel(), np.outer(rings, np.cos(angles)).ravel())


def _sampling(down: npt.NDArray[np.float64], across: npt.NDArray[np.float64]) -> sparse.csr_matrix:
    """The matrix that takes fingerprints to values at other frequencies, by linear interpolation; 0 beyond the band."""
    from scipy import sparse

    _, used = _grid()
    place = _places()
    row, column = down + _SIDE // 2 - 1, across + _SIDE // 2 - 1
    top, left = np.floor(row).astype(np.intp), np.floor(column).astype(np.intp)
    entries = []
    for more_down, more_across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        weight = (1 - np.abs(row - top - more_down)) * (1 - np.abs(column - left - more_across))
        inside = np.clip(top + more_down, 0, used.shape[0] - 1), np.clip(left + more_across, 0, used.shape[1] - 1)
        entries.append((place[inside], weight))
    source, weight = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    target, known = np.tile(np.arange(len(row)), 4), source >= 0
    values = weight[known].astype(np.float32)
    return sparse.csr_matrix((values, (target[known], source[known])), shape=(len(row), int(used.sum())))


@lru_cache(maxsize=1)
def _places() -> npt.NDArray[np.intp]:
    """For every frequency of the spectrum, where a fingerprint has it or its opposite; -1 beyond the band."""
    _, used = _grid()
    place = np.full(used.shape, -1, dtype=np.intp)
    place[used] = np.arange(used.sum())
    return np.maximum(place, place[::-1, ::-1])


@lru_cache(maxsize=1)
def _turned_indices() -> npt.NDArray[np.intp]:
    """For each of four turns, from where in a fingerprint the turned one takes its values."""
    (_, used), place = _grid(), _places()
    mirrored = place[:, ::-1]
    return np.stack([array[used] for array in (place, np.rot90(place), mirrored, np.rot90(mirrored))])


def _fingerprint(frame: Array, scale: float) -> Array:
    from scipy import fft, ndimage

    rows, columns = (max(8, round(size * scale * _SIDE / SIDE)) for size in frame.shape)
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
    flat = flatten(resample(frame, (rows, columns)), 0.7, 4.0) * window
    magnitude = np.sqrt(np.abs(fft.fftshift(fft.fft2(flat, (_SIDE, _SIDE)))[1:, 1:]))
    rings, used = _grid()
    mean = np.bincount(rings.ravel(), magnitude.ravel()) / np.bincount(rings.ravel())
    relative = ndimage.gaussian_filter(magnitude / np.maximum(mean[rings], 1e-12), 0.6)[used]
    centred = relative - relative.mean()
    return np.asarray(centred / max(float(np.linalg.norm(centred)), 1e-12), np.float32)
