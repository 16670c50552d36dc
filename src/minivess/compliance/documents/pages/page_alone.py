"""A document as one page that belongs to no pack: it links to no other document and needs no other file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from minivess.compliance.documents.model.blocks import Block, Heading, numbered
from minivess.compliance.documents.model.html import body_html, inline_html, section_id
from minivess.compliance.documents.model.making import Words, inlines
from minivess.compliance.documents.rendering import Renderer


@dataclass(frozen=True)
class PageAlone:
    """What a page shows."""

    title: str
    about: str
    subject: str
    """What it is about: a device with its version, or a program."""
    rows: tuple[tuple[str, Words], ...]
    """Labels and values of the title block."""
    body: tuple[Block, ...]
    footer: str
    demo: bool = False


def page_alone(renderer: Renderer, page: PageAlone) -> str:
    """The page as HTML. The same page gives the same text."""
    body = numbered(page.body)
    return renderer.render(
        "page-alone.html.j2",
        {
            "page": page,
            "demo": page.demo,
            "title_rows": [(label, inline_html(inlines(value))) for label, value in page.rows],
            "contents": list(_contents(body)),
            "body": body_html(body),
        },
    )


def _contents(body: Iterable[Block]) -> Iterable[tuple[str, str]]:
    for one in body:
        if isinstance(one, Heading) and one.level == 1:
            yield section_id(one), inline_html(one.content)
