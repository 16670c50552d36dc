"""From a drawn lumen to a recorded image: blur, bias, motion, photons; the same bits everywhere (see `exact.py`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minivess.ml.synthesis.exact import Floats, Stream, exp

Singles = npt.NDArray[np.float32]


def kernel(sigma: float, truncate: float = 4.0) -> list[float]:
    """Weights of a Gaussian from its middle outwards, summing to one when mirrored; cut at `truncate` sigma."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:
        return [1.0]
    raw: list[float] = exp(np.arange(radius + 1) * np.arange(radius + 1) / (-2.0 * sigma * sigma)).tolist()
    total = raw[0]
    for weight in raw[1:]:
        total += 2.0 * weight
    return [weight / total for weight in raw]


def blur(volume: Singles, sigma: tuple[float, ...], *, truncate: float = 4.0, wrap: bool = False) -> Singles:
    """Gaussian blur, one axis after the other; the border is repeated, or wrapped around.

    Args:
        volume: float32.
        sigma: standard deviation in voxels along each axis; 0 leaves an axis alone.
        truncate: where the kernel ends, in sigma.
        wrap: wrap around instead of repeating the border.
    """
    for axis, width in enumerate(sigma):
        weights = kernel(width, truncate) if width > 0 else [1.0]
        radius = len(weights) - 1
        if radius == 0:
            continue
        pads = [(radius, radius) if a == axis else (0, 0) for a in range(volume.ndim)]
        padded = np.pad(volume, pads, mode="wrap" if wrap else "edge")
        size = volume.shape[axis]
        before = (slice(None),) * axis
        volume = padded[(*before, slice(radius, radius + size))] * np.float32(weights[0])
        pair = np.empty_like(volume)
        for k in range(1, radius + 1):
            left = padded[(*before, slice(radius - k, radius - k + size))]
            right = padded[(*before, slice(radius + k, radius + k + size))]
            np.add(left, right, out=pair)
            np.multiply(pair, np.float32(weights[k]), out=pair)
            np.add(volume, pair, out=volume)
    return volume


def spread(sigma: tuple[float, ...], truncate: float = 4.0) -> float:
    """Standard deviation of white noise of variance one after `blur`."""
    variance = 1.0
    for width in sigma:
        weights = kernel(width, truncate)
        total = weights[0] * weights[0]
        for weight in weights[1:]:
            total += 2.0 * weight * weight
        variance *= total
    return float(np.sqrt(variance))


def upsample(grid: Floats, shape: tuple[int, ...]) -> Floats:
    """Linear interpolation of a coarse grid, one axis at a time."""
    for axis, size in enumerate(shape):
        at = np.arange(size) * ((grid.shape[axis] - 1.0) / max(size - 1, 1))
        below = np.minimum(at.astype(np.int64), grid.shape[axis] - 2)
        weight = (at - below).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
        grid = (1 - weight) * grid.take(below, axis) + weight * grid.take(below + 1, axis)
    return grid


def texture(stream: Stream, shape: tuple[int, int, int], spacing: Floats) -> Singles:
    """Grains of flowing plasma: mean 1, standard deviation 0.18, correlated over 1.6 µm, cut at 0.4 and 1.6."""
    sigma = (1.6 / float(spacing[0]), 1.6 / float(spacing[1]), 1.6 / float(spacing[2]))
    grain = blur(stream.normal(*shape).astype(np.float32), sigma, wrap=True)
    made: Singles = np.clip(
        np.float32(1.0) + grain * np.float32(0.18 / spread(sigma)), np.float32(0.4), np.float32(1.6)
    )
    return made


def bias(stream: Stream, shape: tuple[int, ...]) -> Floats:
    """A smooth field (z, y, x) from -1 to 1: uneven light."""
    corners = blur(stream.normal(4, 4, 4).astype(np.float32), (0.7, 0.7, 0.7)).astype(np.float64)
    return upsample(corners / max(float(np.abs(corners).max()), 1e-6), shape)


def expose(
    stream: Stream,
    lumen: Singles,
    spacing: Floats,
    *,
    psf_um: tuple[float, float],
    attenuation_um: float,
) -> Floats:
    """Expected signal a voxel, 1 in the brightest vessel at the surface before blur.

    Args:
        stream: decides depth of light, bias field and background.
        lumen: brightness of the dye in each voxel.
        spacing: voxel size (z, y, x) in micrometres.
        psf_um: axial and lateral standard deviation of the point spread function.
        attenuation_um: depth at which the signal has fallen to 1/e, before chance.
    """
    size_z, size_y, size_x = (float(size) for size in spacing)
    sharp = blur(lumen, (psf_um[0] / size_z, psf_um[1] / size_y, psf_um[1] / size_x))
    haze = blur(lumen, (9.0 / size_z, 9.0 / size_y, 9.0 / size_x), truncate=2.5)
    depth: Floats = np.arange(lumen.shape[0], dtype=np.float64) * size_z
    decay = exp(depth / (-attenuation_um * (0.8 + 0.4 * stream.one())))
    uneven = bias(stream, lumen.shape)
    background = 0.012 + 0.008 * stream.one()
    light = np.float32(0.04) * haze + np.float32(0.96) * sharp
    signal: Floats = (background + light.astype(np.float64)) * decay[:, None, None] * (1.0 + 0.22 * uneven)
    return signal


def move(stream: Stream, signal: Floats, spacing: Floats, *, jitter_um: float, frame_um: float) -> Floats:
    """Shift planes along y and x and lines along x, as a moving animal does during a raster scan.

    Args:
        stream: the only source of chance.
        signal: (z, y, x).
        spacing: voxel size (z, y, x) in micrometres.
        jitter_um: standard deviation of the shift of a line.
        frame_um: standard deviation of the shift of a plane along each of y and x.
    """
    planes, lines, _ = signal.shape
    shift_y = stream.normal(planes) * (frame_um / float(spacing[1]))
    shift_x = (stream.normal(planes) * frame_um)[:, None] + stream.normal(planes, lines) * jitter_um
    signal = _along(signal, shift_y[:, None, None], 1)
    return _along(signal, (shift_x / float(spacing[2]))[:, :, None], 2)


def _along(signal: Floats, shift: Floats, axis: int) -> Floats:
    """Linear interpolation at places shifted along one axis; beyond the border its value goes on."""
    size = signal.shape[axis]
    place = np.arange(size).reshape([-1 if a == axis else 1 for a in range(3)]) + shift
    place = np.clip(place, 0.0, size - 1.0)
    below = np.floor(place)
    weight = place - below
    low = np.broadcast_to(below.astype(np.int64), signal.shape)
    first = np.take_along_axis(signal, low, axis)
    second = np.take_along_axis(signal, np.minimum(low + 1, size - 1), axis)
    return (1.0 - weight) * first + weight * second


def record(
    stream: Stream, signal: Floats, *, photons: float, read_noise: float, offset: float, gain: float, correlation: float
) -> npt.NDArray[np.uint16]:
    """Read a signal out: Poisson counts and Gaussian noise, correlated in the plane, as uint16 digital numbers."""
    counts = stream.poisson(photons * signal)
    counts = counts + read_noise * stream.normal(*signal.shape)
    smooth = blur(counts.astype(np.float32), (0.0, correlation, correlation)).astype(np.float64)
    return np.clip(np.rint(offset + gain * smooth), 0, 65535).astype(np.uint16)
