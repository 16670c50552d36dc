"""The list of suspicious labels as one page that needs nothing else, with pictures of the first cases."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import NamedTuple

from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import LoadedCase
from minivess.ml.quality.pages.case_pictures import outline_colours, thumbnail
from minivess.ml.quality.pages.validation_page import page_environment
from minivess.records.data.dataset import DatasetManifest
from minivess.records.evaluation.suspects import SuspectCase, SuspectsRecord

PICTURES = 24
"""Cases with pictures at most; a tenth of the list where that is less, and 4 at least."""
_SIZE = 288


class _Shown(NamedTuple):
    """A case with its picture, and where to look in words."""

    rank: int
    case: SuspectCase
    where: str
    picture: str


@implements("REQ-409")
def suspects_page(record: SuspectsRecord, manifest: DatasetManifest, load: Callable[[str], LoadedCase | None]) -> str:
    """The page as HTML.

    Args:
        record: the cases in their order.
        manifest: the data set.
        load: gives a case whose picture may be shown; None: there is no picture.
    """
    first = max(4, min(PICTURES, -(-len(record.cases) // 10)))
    shown = [_shown(rank, one, load) for rank, one in enumerate(record.cases[:first], 1)]
    outlines = tuple(dict.fromkeys(pair for case in manifest.cases for pair in outline_colours(case)))
    return (
        page_environment()
        .get_template("suspects.html.j2")
        .render(
            record=record,
            manifest=manifest,
            shown=shown,
            pictures=any(one.picture for one in shown),
            volumes=any(len(case.grid) == 3 for case in manifest.cases),
            others=[(rank, one, where_in_words(one)) for rank, one in enumerate(record.cases, 1)][first:],
            outlines=outlines,
        )
    )


def where_in_words(one: SuspectCase) -> str:
    """Where a mask is contradicted most, in words."""
    region = one.region
    if region is None:
        return "no region of its own"
    axes = "zyx"[-len(region.start) :]
    box = ", ".join(
        f"{axis} {low}" if high - low == 1 else f"{axis} {low} to {high - 1}"
        for axis, low, high in zip(axes, region.start, region.stop, strict=True)
    )
    points = "voxels" if len(axes) == 3 else "pixels"
    return f"{region.voxels} {points} of {region.labelled} where {region.expected} is expected: {box}"


def _shown(rank: int, one: SuspectCase, load: Callable[[str], LoadedCase | None]) -> _Shown:
    case = load(one.case)
    picture = ""
    if case is not None:
        volume = len(case.record.grid) == 3
        plane = one.region.middle[0] if volume and one.region is not None else None
        picture = base64.b64encode(thumbnail(case, _SIZE, plane=plane)).decode("ascii")
    return _Shown(rank, one, where_in_words(one), picture)
