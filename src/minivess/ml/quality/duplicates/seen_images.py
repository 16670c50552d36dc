"""Test and calibration cases that show the same object as an image that the starting weights were trained on.

The search needs the images of both sides, so it runs before the test part is sealed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.duplicates.near_duplicates import find
from minivess.ml.quality.duplicates.views import comparable
from minivess.ml.reading.case import read_image
from minivess.records.data.likeness import NearDuplicate
from minivess.records.data.split import SplitManifest
from minivess.records.sinks import Progress


@implements("REQ-332", "RC-139")
def near_seen(
    folder: Path, prepared: Path, split: SplitManifest, *, progress: Progress | None = None
) -> list[tuple[str, Path, NearDuplicate]]:
    """Cases that are near duplicates of an image in a folder, in order: the case, the file, and how they fit.

    Args:
        folder: every file in it, at any depth, is an image of a format that cases can have. Hidden files are left out.
        prepared: the folder `data/prepared`.
        split: says which cases are in these parts. They are not sealed yet.
        progress: hears about each image and each pair.

    Raises:
        UsageError: the folder is not there or has no image.
        InputError: a file is no image.
        RefusedError: a case is sealed.
    """
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise UsageError(f"{folder} has no image", hint="correct trained_on.sets.images in minivess.yaml")
    ours = {f"case-{number}": name for number, name in enumerate((*split.test, *split.calibration))}
    seen = {f"seen-{number}": path for number, path in enumerate(files)}

    def images() -> Iterator[tuple[str, npt.NDArray[np.generic]]]:
        for name, case in ours.items():
            loaded = load_case(prepared, case, verify=True)
            yield name, comparable(loaded.image, loaded.record.axes)
        for name, path in seen.items():
            volume = read_image(path)
            yield name, comparable(volume.array, volume.axes)

    found = []
    for pair in find(images(), progress=progress):
        first, second = sorted(pair.cases, key=seen.__contains__)
        if first in ours and second in seen:
            found.append((ours[first], seen[second], pair))
    return found
