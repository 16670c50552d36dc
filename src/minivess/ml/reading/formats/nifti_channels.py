"""Which axis of a NIfTI image holds channels, and what is refused because it may be time or another quantity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minivess.foundation.implements import implements
from minivess.ml.reading.contradictions import contradiction

_FOURTH = {8: "seconds", 16: "milliseconds", 24: "microseconds", 32: "hertz", 40: "ppm", 48: "radians a second"}
"""Units of the fourth axis, by bits 3 to 5 of `xyzt_units`."""
_CHANNELS = frozenset({1007, 2003, 2004})
"""Intents of values that are channels: a vector, and colours (nifti1.h, NIFTI_INTENT_VECTOR, RGB_VECTOR, RGBA_VECTOR)."""
_UNSTATED = 0


@implements("REQ-288")
def channels_of(header: Any, shape: tuple[int, ...], path: Path) -> tuple[tuple[int, ...], int]:
    """The spatial sizes, and the number of channels along the fourth or fifth axis; 0: there are none.

    The fifth axis holds the values of a voxel, and `intent_code` states what they are (NIfTI-1, "Statistical parametric
    intents" and "Intent codes for components"). The fourth is time (NIfTI-1, "dim"), unless the intent says otherwise.

    Raises:
        InputError: the fourth axis is time or frequency, or may be; or the values are components of another quantity.
    """
    intent = int(header["intent_code"])
    if len(shape) == 5 and shape[3] == 1:
        if intent not in (*_CHANNELS, _UNSTATED):
            raise contradiction(
                "axes-order",
                f"the {shape[4]} values of a voxel are of intent {_intent(intent)}, and no channels",
                path,
                "save an image; if these are channels, state the intent `vector` (nibabel: header.set_intent)",
            )
        return shape[:3], shape[4]
    if len(shape) != 4:
        return shape, 0
    unit = _FOURTH.get(int(header["xyzt_units"]) & 0x38)
    if unit is not None:
        raise contradiction(
            "axes-order",
            f"its fourth axis has {shape[3]} steps in {unit}: it is no axis of space, and no channels",
            path,
            "save one step in a file of its own (nibabel: image.slicer[..., 0]); if these are channels, state no unit of time "
            "and the intent `vector`",
        )
    if intent not in _CHANNELS:
        raise contradiction(
            "axes-order",
            f"its fourth axis has {shape[3]} steps, and the header does not state whether they are times or channels",
            path,
            "save one in a file of its own (nibabel: image.slicer[..., 0]); if these are channels, state the intent `vector` "
            "(nibabel: header.set_intent)",
        )
    return shape[:3], shape[3]


def _intent(code: int) -> str:
    """An intent by its name where nibabel has one."""
    from nibabel.nifti1 import intent_codes

    return f"`{intent_codes.label[code]}`" if code in intent_codes.label else str(code)
