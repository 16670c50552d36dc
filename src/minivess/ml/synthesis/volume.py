"""Synthetic two-photon volumes of blood vessels with known truth, the same bytes from the same seed everywhere.

A vascular network (`vasculature.py`), narrowed or leaking where asked (`lesions.py`), is drawn on the voxel grid, filled
with textured plasma, blurred by an anisotropic Gaussian point spread function, dimmed with depth as
exp(-z / attenuation), multiplied by a smooth bias field, moved, and read out with Poisson-Gaussian noise (Foi et al.,
2008, IEEE TIP 17:1737) that detector bandwidth and motion correction leave correlated within the plane (`optics.py`).
The default setting is the hard one: 4 photons in the brightest voxel and an axial sigma of 5 micrometres, on which one
intensity threshold for all cannot do well.

Image, mask, network and lesions depend on the seed, the parameters and `GENERATOR` and on nothing else: not on the
processor, the operating system or the versions of libraries (`exact.py` says why).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.synthesis import optics
from minivess.ml.synthesis.exact import Floats, Purpose, Stream
from minivess.ml.synthesis.lesions import Leak, Stenosis, clouds, leak, narrow
from minivess.ml.synthesis.parameters import SynthesisParameters, parameters_of
from minivess.ml.synthesis.vasculature import Centreline, Growth, grow, wander

SPACING_UM = (2.0, 1.0, 1.0)
_OFFSET = 100.0
_GAIN = 60.0
_RESAMPLING = 0.7
"""Lateral sigma in voxels of what detector bandwidth and motion correction do to the noise: neighbours correlate."""
_REACH = 2.0


class SyntheticCase(NamedTuple):
    """One volume with its truth.

    `image` is uint16 (z, y, x) in digital numbers, `label` uint8 0/1 of the same shape (the lumen), `centreline` in
    micrometres; `leaked` is uint8 0/1 where leaked dye has at least a quarter of its peak, None without leaks.
    """

    image: npt.NDArray[np.uint16]
    label: npt.NDArray[np.uint8]
    centreline: Centreline
    stenoses: tuple[Stenosis, ...] = ()
    leaks: tuple[Leak, ...] = ()
    leaked: npt.NDArray[np.uint8] | None = None


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
    """Make one volume from a few settings; `synthesise` takes them all.

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
        UsageError: a setting is out of its range, or the volume is too large.
    """
    return synthesise(
        seed,
        parameters_of(
            shape=shape,
            spacing_um=spacing_um,
            photons=photons,
            psf_sigma_xy_um=psf_sigma_xy_um,
            psf_sigma_z_um=psf_sigma_z_um,
            attenuation_um=attenuation_um,
            gamma=gamma,
        ),
    )


@implements("REQ-010", "REQ-100", "REQ-101")
def synthesise(seed: int | tuple[int, ...], settings: SynthesisParameters) -> SyntheticCase:
    """Make one volume.

    Args:
        seed: whole numbers from 0; what the volume depends on, besides the settings.
        settings: everything else.
    """
    spacing = np.asarray(settings.spacing_um, dtype=np.float64)
    extent = tuple(size * step for size, step in zip(settings.shape, settings.spacing_um, strict=True))
    box = (extent[0], extent[1], extent[2])
    line, stenoses = _network(seed, settings, box)
    distance, brightness = _draw(Stream(seed, Purpose.DYE), line, settings.shape, spacing)
    lumen = np.clip(np.float32(0.5) - distance, np.float32(0.0), np.float32(1.0)) * brightness
    grain = optics.texture(Stream(seed, Purpose.TEXTURE), settings.shape, spacing)
    label = (distance <= 0).astype(np.uint8)
    leaks: tuple[Leak, ...] = ()
    leaked = None
    if settings.leaks:
        leaks, balls = leak(
            Stream(seed, Purpose.LEAKS),
            line,
            box,
            count=settings.leaks,
            radius_um=settings.leak_radius_um,
            brightness=settings.leak_brightness,
        )
        cloud = clouds(balls, settings.shape, spacing)
        leaked = ((cloud >= 0.25) & (label == 0)).astype(np.uint8)
        lumen = np.maximum(lumen, cloud * np.float32(settings.leak_brightness))
    image = _image(seed, settings, lumen * grain, spacing)
    return SyntheticCase(image, label, line, stenoses, leaks, leaked)


def _network(
    seed: int | tuple[int, ...], settings: SynthesisParameters, extent_um: tuple[float, float, float]
) -> tuple[Centreline, tuple[Stenosis, ...]]:
    shaped = Growth(
        attractor_volume_um3=settings.attractor_volume_um3,
        roots=settings.roots,
        loops=settings.loops,
        gamma=settings.gamma,
        leaf_radius_um=settings.leaf_radius_um,
        largest_radius_um=settings.largest_radius_um,
    )
    line = grow(Stream(seed, Purpose.NETWORK), extent_um, shaped)
    if settings.tortuosity_um:
        line = wander(Stream(seed, Purpose.WANDER), line, settings.tortuosity_um, extent_um)
    if not settings.stenoses:
        return line, ()
    return narrow(
        Stream(seed, Purpose.STENOSES),
        line,
        extent_um,
        count=settings.stenoses,
        degree=settings.stenosis_degree,
        length_um=settings.stenosis_length_um,
    )


def _image(
    seed: int | tuple[int, ...], settings: SynthesisParameters, lumen: npt.NDArray[np.float32], spacing: Floats
) -> npt.NDArray[np.uint16]:
    signal = optics.expose(
        Stream(seed, Purpose.OPTICS),
        lumen,
        spacing,
        psf_um=(settings.psf_sigma_z_um, settings.psf_sigma_xy_um),
        attenuation_um=settings.attenuation_um,
    )
    if settings.line_jitter_um or settings.frame_shift_um:
        signal = optics.move(
            Stream(seed, Purpose.MOTION),
            signal,
            spacing,
            jitter_um=settings.line_jitter_um,
            frame_um=settings.frame_shift_um,
        )
    return optics.record(
        Stream(seed, Purpose.DETECTOR),
        signal,
        photons=settings.photons,
        read_noise=settings.read_noise,
        offset=_OFFSET,
        gain=_GAIN,
        correlation=_RESAMPLING,
    )


def _draw(
    stream: Stream, line: Centreline, shape: tuple[int, int, int], spacing: Floats
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Signed distance to the nearest vessel wall in micrometres (negative inside), and the brightness of that
    vessel."""
    distance = np.full(shape, _REACH, dtype=np.float32)
    brightness = np.zeros(shape, dtype=np.float32)
    axes = [np.arange(n, dtype=np.float64) * s for n, s in zip(shape, spacing, strict=True)]
    segments, widths = line.segments, line.widths
    thickness = 0.5 * (widths[:, 0] + widths[:, 1])
    glow = (0.72 + 0.28 * np.clip((thickness - 1.5) / 3.0, 0.0, 1.0)) * (0.9 + 0.1 * stream.uniform(len(thickness)))
    pad = (widths.max(axis=1) + _REACH)[:, None]
    low = np.floor((segments.min(axis=1) - pad) / spacing).astype(np.int64)
    high = np.ceil((segments.max(axis=1) + pad) / spacing).astype(np.int64) + 1
    low, high = np.maximum(low, 0), np.minimum(high, np.asarray(shape))
    for index in np.flatnonzero((high > low).all(axis=1)).tolist():
        where = tuple(slice(a, b) for a, b in zip(low[index].tolist(), high[index].tolist(), strict=True))
        start, end = segments[index].tolist()
        z, y, x = (axis[part] - origin for axis, part, origin in zip(axes, where, start, strict=True))
        away = _to_wall((z[:, None, None], y[None, :, None], x[None, None, :]), start, end, widths[index].tolist())
        closer = away < distance[where]
        distance[where][closer] = away[closer]
        brightness[where][closer] = glow[index]
    return distance, brightness


def _to_wall(
    place: tuple[Floats, Floats, Floats], start: list[float], end: list[float], radii: list[float]
) -> npt.NDArray[np.float32]:
    """Distance of places, given from `start`, to the wall of one straight piece whose radius goes from one to another."""
    z, y, x = place
    way = [b - a for a, b in zip(start, end, strict=True)]
    square = max(way[0] * way[0] + way[1] * way[1] + way[2] * way[2], 1e-9)
    along = np.clip((z * way[0] + y * way[1] + x * way[2]) / square, 0.0, 1.0)
    off_z, off_y, off_x = z - along * way[0], y - along * way[1], x - along * way[2]
    away = np.sqrt(off_z * off_z + off_y * off_y + off_x * off_x)
    change = radii[1] - radii[0]
    return np.asarray(away - (radii[0] + along * change if change else radii[0])).astype(np.float32)
