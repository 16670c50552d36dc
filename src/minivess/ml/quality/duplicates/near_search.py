"""One search for near duplicates in a data set, and whether an earlier search still holds.

A search takes minutes on large sets. Validation keeps its result; split, preview and leakage guard use it while the image
digests of the cases and the method are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.digests import digest_json
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.duplicates import near_duplicates
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.likeness import NearSearch
from minivess.records.sinks import Progress


@implements("REQ-292")
def search(
    manifest: DatasetManifest, folder: Path, *, known: NearSearch | None = None, progress: Progress | None = None
) -> NearSearch:
    """Search all prepared cases of a data set; an earlier search that holds is returned as it is.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        known: an earlier search. The caller has compared it with the log.
        progress: hears about each image and each pair.

    Raises:
        RefusedError: a case is sealed.
        InputError: a case is missing or malformed.
        VerificationError: an array is not the one in its record.
    """
    if known is not None and holds(known, manifest):
        return known

    def images() -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        for case in manifest.cases:
            yield case.id, load_case(folder, case.id, verify=True).image

    return NearSearch(
        method=near_duplicates.method(),
        images=_images_digest(manifest),
        pairs=near_duplicates.find(images(), progress=progress),
    )


@implements("REQ-292")
def holds(known: NearSearch, manifest: DatasetManifest) -> bool:
    """Whether a search was made of these images by the present method."""
    return (known.method, known.images) == (near_duplicates.method(), _images_digest(manifest))


def _images_digest(manifest: DatasetManifest) -> str:
    return digest_json([[case.id, case.image] for case in manifest.cases])
