"""The planes of an RT dose (PS3.3, C.8.8.3): what a stored value means, and where each frame lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction

_SOP_CLASS = "1.2.840.10008.5.1.4.1.1.481.2"
_SAME = 1e-3
"""Millimetres by which two statements of one place may differ."""


def is_dose(dataset: Any) -> bool:
    """Whether a data set is an RT dose."""
    return str(dataset.get("SOPClassUID", "")) == _SOP_CLASS


@implements("REQ-281")
def dose_scale(dataset: Any, path: Path) -> float:
    """The factor from stored values to a dose in `DoseUnits`.

    Raises:
        InputError: it is missing or impossible.
    """
    scale = float(dataset.get("DoseGridScaling", 0) or 0)
    if not np.isfinite(scale) or scale <= 0:
        raise contradiction(
            "dose-scale", "a dose without DoseGridScaling has no unit", path, "export the dose with its scale"
        )
    return scale


@implements("REQ-286")
def frame_positions(
    dataset: Any,
    frames: int,
    place: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    path: Path,
) -> Sequence[npt.NDArray[np.float64]]:
    """Position of each frame in millimetres, from GridFrameOffsetVector.

    Offsets begin at 0 and run along the normal, or begin at the z of the first frame and are z of transverse frames.

    Args:
        dataset: the attributes.
        frames: their number.
        place: position of the first frame, and the normal of all.
        path: the file at fault.

    Raises:
        InputError: another number of offsets than frames, or offsets that begin at neither place.
    """
    first, normal = place
    offsets = np.atleast_1d(np.asarray(dataset.get("GridFrameOffsetVector") or [], dtype=np.float64))
    if offsets.shape != (frames,) or not np.isfinite(offsets).all():
        raise contradiction(
            "pages-missing",
            f"its GridFrameOffsetVector has {offsets.size} values for {frames} frames",
            path,
            "export the dose again",
        )
    if abs(offsets[0]) <= _SAME:
        return [first + offset * normal for offset in offsets]
    if abs(offsets[0] - first[2]) <= _SAME and abs(abs(normal[2]) - 1) <= _SAME:
        return [np.array([first[0], first[1], offset]) for offset in offsets]
    raise contradiction(
        "transforms-disagree",
        f"its GridFrameOffsetVector begins at {offsets[0]:g} and its first frame is at z {first[2]:g}",
        path,
        "export the dose again; offsets begin at 0 or at the z of the first frame",
    )
