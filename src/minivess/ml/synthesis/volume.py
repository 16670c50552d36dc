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

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.synthesis import optics
from minivess.ml.synthesis.drawing import Tissue, draw
from minivess.ml.synthesis.exact import Floats, Purpose, Stream
from minivess.ml.synthesis.lesions import Leak, Stenosis, clouds, leak, narrow, scaled
from minivess.ml.synthesis.parameters import SynthesisParameters
from minivess.ml.synthesis.photograph import develop, photograph
from minivess.ml.synthesis.vasculature import Centreline, Growth, grow, together, wander

SPACING_UM = (2.0, 1.0, 1.0)
_OFFSET = 100.0
_GAIN = 60.0
_WHITE = 220.0
"""Brightness of a white ground in a colour picture."""
_ENDLESS = 1e6
"""Thickness in µm of the one plane of a picture: all vessels lie in it."""
_RESAMPLING = 0.7
"""Lateral sigma in voxels of what detector bandwidth and motion correction do to the noise: neighbours correlate."""


class SyntheticCase(NamedTuple):
    """One volume or picture with its truth.

    `image` is uint16 (z, y, x) or (y, x) in digital numbers, or uint8 (y, x, 3): red, green and blue. `label` is uint8
    on its grid with the values of the classes, 0 outside the vessels; `centreline` has (z, y, x) in micrometres for a
    picture too; `leaked` is uint8 0/1 where leaked dye has at least a quarter of its peak, None without leaks.
    """

    image: npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
    label: npt.NDArray[np.uint8]
    centreline: Centreline
    stenoses: tuple[Stenosis, ...] = ()
    leaks: tuple[Leak, ...] = ()
    leaked: npt.NDArray[np.uint8] | None = None


@implements("REQ-010", "REQ-100", "REQ-101", "REQ-326", "REQ-327")
def synthesise(seed: int | tuple[int, ...], settings: SynthesisParameters) -> SyntheticCase:
    """Make one volume, or one picture of a slab of tissue seen along z.

    Args:
        seed: whole numbers from 0; what the volume depends on, besides the settings.
        settings: everything else.
    """
    flat = settings.axes == "yx"
    steps = tuple(step / settings.scale for step in settings.spacing_um)
    box = (settings.shape[0] * steps[0], settings.shape[1] * steps[1], settings.shape[2] * steps[2])
    line, stenoses = _network(seed, settings, box)
    shape = (1, *settings.shape[1:]) if flat else settings.shape
    spacing = np.array([_ENDLESS if flat else steps[0], *steps[1:]])
    tissue = draw(Stream(seed, Purpose.DYE), line.flat if flat else line, shape, spacing, settings)
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
        if flat:
            balls[:, 0] = 0.0
        cloud = clouds(balls, shape, spacing)
        leaked = ((cloud >= 0.25) & (tissue.label == 0)).astype(np.uint8)
        tissue = tissue._replace(dye=np.maximum(tissue.dye, cloud * np.float32(settings.leak_brightness)))
    image = _photograph(seed, settings, tissue, spacing) if settings.colour else _scan(seed, settings, tissue, spacing)
    label = tissue.label
    if flat:
        image = image if settings.colour else image[0]
        label, leaked = label[0], None if leaked is None else leaked[0]
    stenoses, leaks = scaled(stenoses, leaks, settings.scale)
    return SyntheticCase(image, label, line.scaled(settings.scale), stenoses, leaks, leaked)


def _network(
    seed: int | tuple[int, ...], settings: SynthesisParameters, extent_um: tuple[float, float, float]
) -> tuple[Centreline, tuple[Stenosis, ...]]:
    share = 2.4 if settings.classes == "artery-vein" else 1.0
    shaped = Growth(
        attractor_volume_um3=settings.attractor_volume_um3 * share,
        roots=settings.roots,
        loops=settings.loops,
        gamma=settings.gamma,
        leaf_radius_um=settings.leaf_radius_um,
        largest_radius_um=settings.largest_radius_um,
    )
    line = grow(Stream(seed, Purpose.NETWORK), extent_um, shaped)
    if settings.classes == "artery-vein":
        wide = settings.vein_width
        veins = replace(
            shaped, leaf_radius_um=shaped.leaf_radius_um * wide, largest_radius_um=shaped.largest_radius_um * wide
        )
        line = together(line, grow(Stream(seed, Purpose.VEINS), extent_um, veins, beside=line))
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


def _photograph(
    seed: int | tuple[int, ...], settings: SynthesisParameters, tissue: Tissue, spacing: Floats
) -> npt.NDArray[np.uint8]:
    signal = photograph(Stream(seed, Purpose.OPTICS), tissue, spacing, psf_um=settings.psf_sigma_xy_um)
    counts = optics.record(
        Stream(seed, Purpose.DETECTOR),
        signal,
        photons=settings.photons,
        read_noise=settings.read_noise,
        offset=0.0,
        gain=_WHITE / settings.photons,
        correlation=_RESAMPLING,
    )
    return develop(counts)


def _scan(
    seed: int | tuple[int, ...], settings: SynthesisParameters, tissue: Tissue, spacing: Floats
) -> npt.NDArray[np.uint16]:
    grain = optics.texture(Stream(seed, Purpose.TEXTURE), tissue.dye.shape, spacing)
    signal = optics.expose(
        Stream(seed, Purpose.OPTICS),
        tissue.dye * grain,
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
