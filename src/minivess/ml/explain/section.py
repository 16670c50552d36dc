"""An explanation as a section that pages can include."""

from __future__ import annotations

import base64

from minivess.foundation.implements import implements
from minivess.ml.quality.pages.environment import environment_of
from minivess.records.evaluation.explanations import LARGEST_CORRELATION, TITLES, ExplanationRecord


@implements("REQ-413")
def explanation_section(record: ExplanationRecord, picture: bytes) -> str:
    """The section as HTML without a page around it: picture, sanity checks, digests.

    Args:
        record: what was explained.
        picture: of `ml.explain.picture`, PNG.
    """
    return (
        environment_of("evaluation")
        .get_template("explanation-section.html.j2")
        .render(
            record=record,
            picture=base64.b64encode(picture).decode("ascii"),
            titles=TITLES,
            limit=f"{LARGEST_CORRELATION:g}",
        )
    )
