"""An explanation as a section that pages can include."""

from __future__ import annotations

import base64
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from minivess.foundation.implements import implements
from minivess.foundation.paths import templates_folder
from minivess.records.evaluation.explanations import LARGEST_CORRELATION, TITLES, ExplanationRecord


@implements("REQ-413")
def explanation_section(record: ExplanationRecord, picture: bytes) -> str:
    """The section as HTML without a page around it: picture, sanity checks, digests.

    Args:
        record: what was explained.
        picture: of `ml.explain.picture`, PNG.
    """
    return (
        _environment()
        .get_template("explanation-section.html.j2")
        .render(
            record=record,
            picture=base64.b64encode(picture).decode("ascii"),
            titles=TITLES,
            limit=f"{LARGEST_CORRELATION:g}",
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(templates_folder() / "evaluation", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
