"""Making vessel volumes with known truth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.ml.synthesis.parameters import Described, described, parameters_of
from minivess.records.sinks import Progress

if TYPE_CHECKING:
    from minivess.ml.synthesis.collection import Format, SynthesisManifest

__all__ = ["Described", "described", "synthesise"]


def synthesise(
    out: Path,
    settings: Mapping[str, Any],
    *,
    seed: int,
    count: int,
    kind: Format,
    projection: bool,
    progress: Progress,
) -> SynthesisManifest:
    """Write `count` cases into the folder `out`; an interrupted run goes on where it stopped.

    Args:
        out: the folder.
        settings: parameters of the generator that differ from their defaults.
        seed: what one set differs in from another.
        count: number of cases.
        kind: `ome-tiff` or `nifti`.
        projection: write maximum projections along z.
        progress: hears how far it is.

    Returns:
        The manifest.

    Raises:
        UsageError: a parameter is out of its range.
    """
    from minivess.ml.synthesis.collection import write_collection

    return write_collection(
        out, parameters_of(**settings), seed=seed, count=count, kind=kind, projection=projection, progress=progress
    )
