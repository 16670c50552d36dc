"""A mask as run lengths in JSON: `{"shape": [2, 3], "runs": [[0, 4], [1, 2]]}`.

Each run is a value and how many voxels in a row have it, in C order (the last axis changes fastest).
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.ml.writing.placed_mask import MaskFile, PlacedMask

_MOST_VOXELS = 1 << 30


def write(mask: PlacedMask) -> MaskFile:
    """The run lengths of a mask."""
    text = json.dumps({"shape": list(mask.values.shape), "runs": runs_of(mask.values)}, separators=(",", ":"))
    return MaskFile(text.encode("ascii"), "application/json", ".json")


def runs_of(values: NDArray[np.uint8]) -> list[list[int]]:
    """Value and length of each run, in C order."""
    flat = values.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1]) if flat.size else np.zeros(0, np.intp)
    lengths = np.diff(np.append(starts, flat.size))
    return [[int(value), int(length)] for value, length in zip(flat[starts], lengths, strict=True)]


def from_runs(shape: list[int], runs: list[list[int]]) -> NDArray[np.uint8]:
    """The mask of run lengths.

    Raises:
        InputError: the runs do not fill the shape, or are beyond the limits.
    """
    if not all(isinstance(size, int) and size >= 0 for size in shape) or np.prod(shape, dtype=float) > _MOST_VOXELS:
        raise InputError("the shape of the run lengths is malformed or too large")
    values, lengths = [run[0] for run in runs], [run[1] for run in runs]
    if sum(lengths) != int(np.prod(shape)) or any(not 0 <= value <= 255 for value in values):
        raise InputError("the run lengths do not fill the shape")
    return np.repeat(np.array(values, np.uint8), lengths).reshape(shape)
