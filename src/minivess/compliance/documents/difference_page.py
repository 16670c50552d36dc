"""The differences of two releases as a page, and as a chapter of the release notes."""

from __future__ import annotations

from minivess.compliance.documents.documents import DIFFERENCE
from minivess.compliance.documents.model.blocks import numbered
from minivess.compliance.documents.model.html import body_html
from minivess.compliance.documents.rendering import Renderer
from minivess.foundation.implements import implements
from minivess.records.changes.difference import ReleaseDifference


@implements("REQ-572")
def difference_page(renderer: Renderer, difference: ReleaseDifference, *, demo: bool) -> str:
    """The page, without links to other files.

    Args:
        renderer: the templates.
        difference: of two releases.
        demo: whether a pack is of a demonstration.
    """
    facts = {"difference": difference, "demo": demo}
    body = numbered(renderer.blocks(DIFFERENCE, facts))
    return renderer.render("release-difference-page.html.j2", {**facts, "body": body_html(body)})
