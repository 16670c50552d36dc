"""The neighbourhood of an item as a picture: two levels up, the item, two levels down, drawn as a tree of boxes.

Boxes stand one below the other and keep their size, so the picture reads the same in a column beside the text and on a
telephone. No line crosses a box: neighbours stand to the right of the line that joins them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from minivess.compliance.site.references import shade, sign
from minivess.compliance.site.view import Edge, TraceView
from minivess.records.items.trace_data import TraceItem

_NEAR = 5
"""How many neighbours of the first level are drawn on each side."""
_FAR = 2
"""How many neighbours of the second level are drawn by neighbour of the first."""
_STEP, _BOX, _HIGH, _GAP = 20, 320, 40, 8
_WIDTH = 2 * _STEP + _BOX + 2
_LONGEST, _LONGEST_LABEL = 46, 20
_FRAME = f'<rect width="{_BOX}" height="{_HIGH}" rx="4"/>'
_SUSPECT, _ABSENT = ' class="suspect"', ' class="absent"'
_NAME = '<text class="name" x="12" y="32">'


class _Row(NamedTuple):
    depth: int
    """How far from the item: 0, 1 or 2."""
    body: str
    label: str
    frame: str = ""
    """The class of its group, where it has one."""


class Pictures:
    """Pictures of the items of one trace.

    Args:
        view: the trace.
    """

    def __init__(self, view: TraceView) -> None:
        self._view = view
        self._boxes: dict[str, str] = {}

    def neighbourhood(self, item: TraceItem) -> Markup:
        """The picture of one item as SVG, each box a link to its item."""
        identifier = item.id
        view = self._view
        near_up, near_down = _unique(view.up[identifier]), _unique(view.down[identifier])
        above = list(self._above(identifier, near_up))
        below = list(self._below(identifier, near_down))
        rows = [*above, _Row(0, self._box(identifier), ""), *below]
        parts = [f'<g class="ways">{"".join(_ways(rows, len(above)))}</g>']
        y = 1
        for number, row in enumerate(rows):
            x = 1 + row.depth * _STEP
            frame = ' class="self"' if number == len(above) else row.frame
            parts.append(f'<g{frame} transform="translate({x} {y})">{row.body}')
            if row.label:
                parts.append(f'<text class="way" x="{_BOX - 10}" y="16" text-anchor="end">{row.label}</text>')
            parts.append("</g>")
            y += _HIGH + _GAP
        anchor = view.places[identifier].anchor
        high = y - _GAP + 1
        return Markup(  # noqa: S704  every text in it was escaped where it was put in
            f'<svg class="picture" viewBox="0 0 {_WIDTH} {high}" width="{_WIDTH}" height="{high}" role="group" '
            f'aria-labelledby="{anchor}-picture"><title id="{anchor}-picture">Neighbourhood of {escape(identifier)}: '
            f"{len(near_up)} above, {len(near_down)} below. The same links are lists beside it.</title>"
            f"{''.join(parts)}</svg>"
        )

    def _above(self, identifier: str, near: list[Edge]) -> Iterator[_Row]:
        if len(near) > _NEAR:
            yield self._rest(identifier, "up", len(near) - _NEAR)
        for edge in near[:_NEAR]:
            for far in _unique(self._view.up.get(edge.other, ()))[:_FAR]:
                yield self._row(2, far)
            yield self._row(1, edge)

    def _below(self, identifier: str, near: list[Edge]) -> Iterator[_Row]:
        for edge in near[:_NEAR]:
            yield self._row(1, edge)
            for far in _unique(self._view.down.get(edge.other, ()))[:_FAR]:
                yield self._row(2, far)
        if len(near) > _NEAR:
            yield self._rest(identifier, "down", len(near) - _NEAR)

    def _row(self, depth: int, edge: Edge) -> _Row:
        words = escape(_cut(edge.words, _LONGEST_LABEL))
        label = f"{words}, suspect" if edge.suspect else str(words)
        absent = "" if edge.other in self._view.by_id or edge.other in self._view.artifacts else _ABSENT
        return _Row(depth, self._box(edge.other), label, _SUSPECT if edge.suspect else absent)

    def _rest(self, identifier: str, side: str, count: int) -> _Row:
        anchor = self._view.places[identifier].anchor
        body = f'<a href="#{anchor}-{side}">{_FRAME}<text class="name" x="12" y="25">and {count} more, in the list</text></a>'
        return _Row(1, body, "", ' class="more"')

    def _box(self, identifier: str) -> str:
        """The box of an item without its place in the picture; made once and used in every picture it stands in."""
        box = self._boxes.get(identifier)
        if box is None:
            box = self._boxes[identifier] = self._draw(identifier)
        return box

    def _draw(self, identifier: str) -> str:
        item = self._view.by_id.get(identifier)
        name = escape(identifier)
        if item is None:
            short = escape(_cut(identifier, _LONGEST_LABEL))
            if identifier in self._view.artifacts:
                return f'{_FRAME}<text class="id" x="12" y="16">{short}</text>{_NAME}beside text</text>'
            return f'{_FRAME}<text class="id" x="12" y="16">? {short}</text>{_NAME}not in this project</text>'
        status = item.status
        whole = item.title.replace("`", "")
        shown = _cut(whole, _LONGEST)
        title = "" if shown == whole else f"<title>{name} {escape(whole)}</title>"
        return (
            f'<a href="{self._view.places[identifier].address}">{title}{_FRAME}<text class="id" x="12" y="16">{name} '
            f'<tspan class="{shade(status)}">{sign(status)}</tspan></text>{_NAME}{escape(shown)}</text></a>'
        )


def _cut(title: str, room: int) -> str:
    """As much of a text as there is room for, letters of double width counted twice."""
    if len(title) <= room and title.isascii():
        return title
    for index, letter in enumerate(title):
        room -= 1 + (letter >= "\u1100")
        if room < 0:
            return f"{title[: max(0, index - 1)].rstrip()}…"
    return title


def _unique(edges: Any) -> list[Edge]:
    """One edge by neighbour: two items may name each other, which is one way and not two. A suspect one is kept."""
    found: dict[str, Edge] = {}
    for edge in edges:
        if edge.other not in found or (edge.suspect and not found[edge.other].suspect):
            found[edge.other] = edge
    return list(found.values())


def _ways(rows: list[_Row], own: int) -> Iterator[str]:
    """The lines that join each box to its neighbour nearer to the item: down on the left, then into the box."""
    pitch = _HIGH + _GAP
    for number, row in enumerate(rows):
        if not row.depth:
            continue
        step = 1 if number < own else -1
        joined = next(other for other in range(number + step, own + step, step) if rows[other].depth == row.depth - 1)
        x = 1 + (row.depth - 1) * _STEP + _STEP // 2
        start = 1 + joined * pitch + (0 if step > 0 else _HIGH)
        end = 1 + number * pitch + _HIGH // 2
        bend = end + (5 if step > 0 else -5)
        kind = row.frame if row.frame == _SUSPECT else ""
        yield f'<path{kind} d="M{x} {start}V{bend}Q{x} {end} {x + 5} {end}H{1 + row.depth * _STEP}"/>'
