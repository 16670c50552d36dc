"""Synthetic two-photon volumes of blood vessels with known truth, deterministic by seed.

A vascular network (`vasculature.py`) is drawn on the voxel grid, filled with textured plasma, blurred by an anisotropic
Gaussian point spread function, dimmed with depth as exp(-z / attenuation), multiplied by a smooth bias field, and read
out with Poisson-Gaussian noise (Foi et al., 2008, IEEE TIP 17:1737) that detector bandwidth and motion correction leave
correlated within the plane. The default setting is the hard one: 4 photons in
the brightest voxel and an axial sigma of 5 micrometres, on which one intensity threshold for all cannot do well.

The same seed gives the same bytes on the same machine and library versions; other processors may round the last bit of
an exponential differently, which is why every manifest carries digests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.datasets.synthesis.vasculature import Centreline, Floats, grow

SPACING_UM = (2.0, 1.0, 1.0)
_OFFSET = 100.0
_GAIN = 60.0
_READ_NOISE = 0.25
_RESAMPLING = 0.7
"""Lateral sigma in voxels of what detector bandwidth and motion correction do to the noise: neighbours correlate."""
_LARGEST = 64 * 1024 * 1024


class SyntheticCase(NamedTuple):
    """One volume with its truth.

    `image` is uint16 (z, y, x) in digital numbers, `label` uint8 0/1 of the same shape, `centreline` in micrometres.
    """

    image: npt.NDArray[np.uint16]
    label: npt.NDArray[np.uint8]
    centreline: Centreline


@implements("REQ-010")
def generate_volume(
    seed: int | tuple[int, ...],
    *,
    shape: tuple[int, int, int] = (48, 96, 96),
    spacing_um: tuple[float, float, float] = SPACING_UM,
    photons: float = 4.0,
    psf_sigma_xy_um: float = 0.5,
    psf_sigma_z_um: float = 5.0,
    attenuation_um: float = 240.0,
    gamma: float = 3.0,
) -> SyntheticCase:
    """Make one volume.

    Args:
        seed: what the volume depends on, besides the other arguments.
        shape: voxels (z, y, x).
        spacing_um: voxel size (z, y, x) in micrometres.
        photons: expected photons in a voxel of the brightest vessel at the surface.
        psf_sigma_xy_um: lateral standard deviation of the point spread function.
        psf_sigma_z_um: axial standard deviation of the point spread function.
        attenuation_um: depth at which the signal has fallen to 1/e; varies by a fifth between volumes.
        gamma: Murray's exponent.

    Raises:
        UsageError: a size, spacing or photon count is not positive, or the volume is too large.
    """
    numbers = (*shape, *spacing_um, photons, psf_sigma_xy_um, psf_sigma_z_um, attenuation_um, gamma)
    if min(numbers) <= 0 or int(np.prod(shape)) > _LARGEST:
        raise UsageError("a synthetic volume needs positive sizes and at most 64 Mi voxels")
    from scipy.ndimage import gaussian_filter

    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
    spacing = np.asarray(spacing_um, dtype=np.float64)
    extent = (shape[0] * spacing_um[0], shape[1] * spacing_um[1], shape[2] * spacing_um[2])
    centreline = grow(rng, extent, gamma=gamma)
    distance, brightness = _distance(rng, centreline, shape, spacing)
    signal = _illuminate(
        rng, distance, brightness, spacing, sigma_um=(psf_sigma_z_um, psf_sigma_xy_um), attenuation_um=attenuation_um
    )
    counts = rng.poisson(photons * signal) + rng.normal(0.0, _READ_NOISE, shape)
    counts = gaussian_filter(counts, (0.0, _RESAMPLING, _RESAMPLING), mode="nearest")
    image = np.clip(np.rint(_OFFSET + _GAIN * counts), 0, 65535).astype(np.uint16)
    return SyntheticCase(image, (distance <= 0).astype(np.uint8), centreline)


def _distance(
    rng: np.random.Generator, centreline: Centreline, shape: tuple[int, int, int], spacing: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Signed distance to the nearest vessel wall in micrometres (negative inside), and the brightness of that
    vessel."""
    reach = 2.0
    distance = np.full(shape, reach, dtype=np.float32)
    brightness = np.zeros(shape, dtype=np.float32)
    axes = [np.arange(n, dtype=np.float64) * s for n, s in zip(shape, spacing, strict=True)]
    thickness = centreline.radii.mean(axis=1)
    glow = (0.72 + 0.28 * np.clip((thickness - 1.5) / 3.0, 0.0, 1.0)) * (0.9 + 0.1 * rng.random(len(thickness)))
    radii = centreline.radii.max(axis=1)
    pad = (radii + reach)[:, None]
    low = np.floor((centreline.segments.min(axis=1) - pad) / spacing).astype(int)
    high = np.ceil((centreline.segments.max(axis=1) + pad) / spacing).astype(int) + 1
    low, high = np.maximum(low, 0), np.minimum(high, np.asarray(shape))
    for index in np.flatnonzero((high > low).all(axis=1)).tolist():
        where = tuple(slice(a, b) for a, b in zip(low[index], high[index], strict=True))
        start, end = centreline.segments[index]
        way = end - start
        z, y, x = (axis[part] - origin for axis, part, origin in zip(axes, where, start, strict=True))
        z, y, x = z[:, None, None], y[None, :, None], x[None, None, :]
        along = np.clip((z * way[0] + y * way[1] + x * way[2]) / max(float(way @ way), 1e-9), 0.0, 1.0)
        away = np.sqrt((z - along * way[0]) ** 2 + (y - along * way[1]) ** 2 + (x - along * way[2]) ** 2)
        away = (away - radii[index]).astype(np.float32)
        closer = away < distance[where]
        distance[where][closer] = away[closer]
        brightness[where][closer] = glow[index]
    return distance, brightness


def _illuminate(
    rng: np.random.Generator,
    distance: npt.NDArray[np.float32],
    brightness: npt.NDArray[np.float32],
    spacing: Floats,
    *,
    sigma_um: tuple[float, float],
    attenuation_um: float,
) -> npt.NDArray[np.float32]:
    """Expected signal a voxel, 1 in the brightest vessel at the surface before blur."""
    from scipy.ndimage import gaussian_filter

    sigma = np.array([sigma_um[0], sigma_um[1], sigma_um[1]]) / spacing
    grain = gaussian_filter(rng.standard_normal(distance.shape, dtype=np.float32), 1.6 / spacing, mode="wrap")
    texture = 1.0 + 0.18 * grain / max(float(grain.std()), 1e-6)
    lumen = np.clip(0.5 - distance, 0.0, 1.0) * brightness * np.clip(texture, 0.4, 1.6)
    sharp = gaussian_filter(lumen, sigma, mode="nearest")
    haze = gaussian_filter(lumen, 9.0 / spacing, mode="nearest", truncate=2.5)
    depth = np.arange(distance.shape[0]) * spacing[0]
    decay = np.exp(-depth / (attenuation_um * (0.8 + 0.4 * rng.random())))
    corners = gaussian_filter(rng.standard_normal((4, 4, 4)), 0.7, mode="nearest")
    bias = 1.0 + 0.22 * _upsample(corners / max(float(np.abs(corners).max()), 1e-6), distance.shape)
    background = 0.012 + 0.008 * rng.random()
    signal = (background + 0.04 * haze + 0.96 * sharp) * decay[:, None, None] * bias
    return np.asarray(signal, dtype=np.float32)


def _upsample(grid: Floats, shape: tuple[int, ...]) -> Floats:
    """Linear interpolation of a coarse grid, one axis at a time."""
    for axis, size in enumerate(shape):
        at = np.linspace(0.0, grid.shape[axis] - 1.0, size)
        below = np.minimum(at.astype(int), grid.shape[axis] - 2)
        weight = (at - below).reshape([-1 if i == axis else 1 for i in range(grid.ndim)])
        grid = (1 - weight) * grid.take(below, axis) + weight * grid.take(below + 1, axis)
    return grid
