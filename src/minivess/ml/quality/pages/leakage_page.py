"""What the leakage guard found as one page that needs nothing else: every pair of cases side by side."""

from __future__ import annotations

import base64
from pathlib import Path

from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import is_sealed, load_case
from minivess.ml.quality.duplicates.search_limits import LIMITS
from minivess.ml.quality.pages.case_pictures import thumbnail
from minivess.ml.quality.pages.validation_page import page_environment
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.leakage import LeakageReport

_MOST = 200
_SIZE = 208


@implements("REQ-086", "REQ-309")
def page(manifest: DatasetManifest, report: LeakageReport, folder: Path) -> str:
    """The page as HTML, with at most 200 pairs across parts and as many within.

    Args:
        manifest: the data set.
        report: what was found in its split.
        folder: the folder `data/prepared`; sealed cases have no picture.
    """
    shown = {case for leaks in (report.across, report.within) for leak in leaks[:_MOST] for case in leak.cases}
    return (
        page_environment()
        .get_template("leakage.html.j2")
        .render(
            manifest=manifest,
            report=report,
            pictures=_pictures(sorted(shown), folder),
            most=_MOST,
            absent="sealed or unreadable",
            sealed=_sealed(manifest, folder),
            limits=LIMITS,
        )
    )


def _sealed(manifest: DatasetManifest, folder: Path) -> list[str]:
    """The cases of which only encrypted files exist."""
    return [case.id for case in manifest.cases if is_sealed(folder, case.id)]


def _pictures(cases: list[str], folder: Path) -> dict[str, str]:
    pictures = {}
    for case in cases:
        try:
            pictures[case] = base64.b64encode(thumbnail(load_case(folder, case), _SIZE)).decode("ascii")
        except (InputError, RefusedError):
            continue
    return pictures
