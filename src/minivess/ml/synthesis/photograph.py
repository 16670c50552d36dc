"""A colour picture of vessels over a reflecting ground, as a fundus camera takes it.

Light crosses the blood and comes back (Beer and Lambert): a colour is dimmed by exp(-absorption x thickness). Blood
absorbs green most, and blood of veins, with less oxygen, absorbs more red (Delori, 1988, Applied Optics 27:1113).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minivess.ml.synthesis import optics
from minivess.ml.synthesis.drawing import ARTERY, VEIN, Tissue
from minivess.ml.synthesis.exact import Floats, Stream, exp

_GROUND = (0.80, 0.42, 0.20)
"""Share of light that the ground reflects: red, green, blue."""
_ABSORPTION = {ARTERY: (0.30, 1.10, 0.80), VEIN: (0.65, 1.35, 0.95)}
"""In the middle of the widest vessel: red, green, blue."""
_MOTTLE = 0.06
_MOTTLE_UM = 6.0


def photograph(stream: Stream, tissue: Tissue, spacing: Floats, *, psf_um: float) -> Floats:
    """Expected signal (3, y, x) of red, green and blue, 1 for a white ground in even light.

    Args:
        stream: decides the light and the mottled ground.
        tissue: (1, y, x); of one class, all vessels are veins to the light.
        spacing: pixel size (z, y, x) in micrometres.
        psf_um: standard deviation of the point spread function.
    """
    light = 1.0 + 0.22 * optics.bias(stream, tissue.label.shape)
    sigma = (_MOTTLE_UM / float(spacing[1]), _MOTTLE_UM / float(spacing[2]))
    mottle = optics.blur(stream.normal(*tissue.label.shape[1:]).astype(np.float32), sigma, wrap=True)
    ground = light[0] * (1.0 + mottle.astype(np.float64) * (_MOTTLE / optics.spread(sigma)))
    artery, thickness = tissue.oxygenated[0], tissue.thickness[0].astype(np.float64)
    planes = []
    for colour, reflected in enumerate(_GROUND):
        absorbed = np.where(artery, _ABSORPTION[ARTERY][colour], _ABSORPTION[VEIN][colour])
        planes.append(ground * exp(-(absorbed * thickness)) * reflected)
    width = (0.0, psf_um / float(spacing[1]), psf_um / float(spacing[2]))
    return optics.blur(np.stack(planes).astype(np.float32), width).astype(np.float64)


def develop(counts: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Recorded planes (3, y, x) as a picture (y, x, 3) of 8 bits a colour."""
    return np.ascontiguousarray(np.moveaxis(np.minimum(counts, 255), 0, -1)).astype(np.uint8)
