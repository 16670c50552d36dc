"""The formats of masks by name. To add one, add a module with a function `write` and its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

WRITERS: Mapping[str, str] = {
    "npy": "npy",
    "nifti": "nifti",
    "tiff": "tiff",
    "png": "png",
    "rle": "rle",
    "dicom-seg": "dicom_seg",
}
"""The module of each format, which is loaded when it is first asked for."""


@implements("REQ-428", "RC-172")
def write_mask(mask: PlacedMask, name: str) -> MaskFile:
    """A mask as a file.

    Args:
        mask: with its place.
        name: of the format.

    Raises:
        UsageError: there is no such format, or it cannot hold this mask.
        InputError: the image that DICOM-SEG refers to does not fit the mask.
    """
    module = import_module(f"{__package__}.{choose(WRITERS, name, what='format of masks')}")
    return cast("Callable[[PlacedMask], MaskFile]", module.write)(mask)
