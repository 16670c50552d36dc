"""What stands for an item in a sentence: its id as a link, with its title and status or with a sign alone."""

from __future__ import annotations

from markupsafe import Markup, escape

from minivess.compliance.site.view import TraceView, status_word

SIGNS = {
    "passed": "✓",
    "failed": "✕",
    "untested": "○",
    "stale": "↻",
    "acceptable": "✓",
    "unacceptable": "✕",
    "none": "·",
}
_SHADES = {
    "passed": "good",
    "acceptable": "good",
    "failed": "bad",
    "unacceptable": "bad",
    "untested": "warn",
    "stale": "warn",
}


def sign(status: str) -> str:
    """The sign of a status, so that colour never stands alone."""
    return SIGNS.get(status, "·")


def shade(status: str) -> str:
    """The class by which a status is coloured."""
    return _SHADES.get(status, "plain")


def mark(status: str, word: str | None = None) -> Markup:
    """A status as sign and word."""
    return Markup('<span class="mark {}"><span aria-hidden="true">{}</span> {}</span>').format(
        shade(status), sign(status), word or status_word(status)
    )


class Marks:
    """Marks by status, each made once."""

    def __init__(self) -> None:
        self._made: dict[str, Markup] = {}

    def __getitem__(self, status: str) -> Markup:
        if status not in self._made:
            self._made[status] = mark(status)
        return self._made[status]


class References:
    """References to items, as seen from one folder of the site; each is made once.

    Args:
        view: the trace.
        folder: how `items/` is reached: `items/` from the top of the site, nothing from within.
    """

    def __init__(self, view: TraceView, folder: str) -> None:
        self._view = view
        self._folder = folder
        self._full: dict[str, Markup] = {}
        self._short: dict[str, Markup] = {}
        self._bare: dict[str, Markup] = {}

    def address(self, identifier: str) -> str | None:
        """Where an item stands; None when there is no such item."""
        place = self._view.places.get(identifier)
        return None if place is None else f"{self._folder}{place.address}"

    def full(self, identifier: str) -> Markup:
        """Id, title and status."""
        made = self._full.get(identifier)
        if made is None:
            made = self._full[identifier] = self._make(identifier, full=True)
        return made

    def short(self, identifier: str) -> Markup:
        """Id and sign."""
        made = self._short.get(identifier)
        if made is None:
            made = self._short[identifier] = self._make(identifier, full=False)
        return made

    def bare(self, identifier: str) -> Markup:
        """The id alone."""
        made = self._bare.get(identifier)
        if made is None:
            address, name = self.address(identifier), escape(identifier)
            made = self._bare[identifier] = Markup(f'<a href="{address}">{name}</a>') if address else name  # noqa: S704
        return made

    def _make(self, identifier: str, *, full: bool) -> Markup:
        item = self._view.by_id.get(identifier)
        name = escape(identifier)
        if item is None and identifier in self._view.artifacts:
            return Markup(f'<span class="ref"><code>{name}</code></span>')  # noqa: S704
        if item is None:
            return Markup(f'<span class="ref absent">{name} <span class="mark bad">not found</span></span>')  # noqa: S704
        status = item.status
        word, glyph, colour = escape(status_word(status)), sign(status), shade(status)
        stated = f'<span class="sign {colour}" title="{word}">{glyph}</span>'
        link = f'<a class="id" href="{self.address(identifier)}"'
        title = escape(item.title.replace("`", ""))
        if full:
            return Markup(  # noqa: S704  every text in it was escaped
                f'<span class="ref">{stated} {link}>{name}</a> <span dir="auto">{title}</span></span>'
            )
        return Markup(f'<span class="ref short">{stated} {link} title="{title}">{name}</a></span>')  # noqa: S704
