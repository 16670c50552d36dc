"""The structure of the software, from its items and from its source code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from minivess.compliance.documents.model.blocks import Drawing
from minivess.compliance.items.items import Items
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.items.items import SoftwareItem, SoftwareUnit

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\([^)]*\)|[^\n(]*)|import[ \t]+([\w.]+))", re.MULTILINE
)
_NAME = re.compile(r"(?:^|[,(\n])[ \t]*(\w+)")
_FILE_LIMIT = 4 << 20
_WIDTH, _GAP, _HEIGHT, _ROW = 250, 46, 34, 44
_LETTERS = 30


@dataclass(frozen=True)
class Use:
    """How often modules of an item import modules of another one."""

    item: str
    imports: int


@dataclass(frozen=True)
class ItemImports:
    """What one software item imports of the others."""

    item: str
    title: str
    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Structure:
    """Software items and who imports whom."""

    items: tuple[SoftwareItem, ...]
    imports: tuple[ItemImports, ...]
    drawing: Drawing | None
    """None where there is no software item."""


@implements("REQ-503")
def structure_of(source: Path, items: Items) -> Structure:
    """The structure of a source tree.

    Args:
        source: the tree; modules are in its folder `src`.
        items: its items.
    """
    parts = tuple(items.of(SoftwareItem).values())
    units = tuple(items.of(SoftwareUnit).values())
    imports = _imports(source, units)
    rows = tuple(
        ItemImports(
            one.id,
            one.title,
            tuple(Use(other, count) for (mine, other), count in sorted(imports.items()) if mine == one.id),
        )
        for one in parts
        if any(unit.part_of == one.id for unit in units)
    )
    return Structure(parts, rows if imports else (), _drawing(parts, units) if parts else None)


def _imports(source: Path, units: Sequence[SoftwareUnit]) -> Counter[tuple[str, str]]:
    """How often the modules of each item import those of each other item."""
    owner = {module: unit.part_of for unit in units for module in unit.modules}
    counts: Counter[tuple[str, str]] = Counter()
    root = source / "src"
    for path in sorted(root.rglob("*.py")) if root.is_dir() else ():
        mine = _owner(".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"), owner)
        if mine is None:
            continue
        for name in _imported(path):
            other = _owner(name, owner)
            if other is not None and other != mine:
                counts[mine, other] += 1
    return counts


def _imported(path: Path) -> Iterator[str]:
    try:
        text = read_limited(path, limit=_FILE_LIMIT).decode("utf-8", "replace")
    except InputError:
        return
    for found in _IMPORT.finditer(text):
        module, names, plain = found.groups()
        if plain:
            yield plain
        else:
            yield from {f"{module}.{name}" for name in _NAME.findall(names)}


def _owner(module: str, owner: Mapping[str, str]) -> str | None:
    """The item whose unit has the module, or a package that it is in."""
    while module:
        if module in owner:
            return owner[module]
        module = module.rpartition(".")[0]
    return None


def _drawing(parts: Sequence[SoftwareItem], units: Sequence[SoftwareUnit]) -> Drawing:
    """The tree of items, from left to right."""
    known = {one.id for one in parts}
    children: dict[str | None, list[SoftwareItem]] = {}
    for one in parts:
        children.setdefault(one.part_of if one.part_of in known else None, []).append(one)
    counts = Counter(one.part_of for one in units)
    shapes: list[str] = []
    rows = _place(children, None, 0, 0, counts=counts, shapes=shapes)
    depth = max((_depth(one, parts) for one in parts), default=1)
    width, height = depth * (_WIDTH + _GAP) - _GAP + 2, rows * _ROW
    style = 'font-family="DejaVu Sans Mono, ui-monospace, monospace" font-size="11"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" {style}>'
        f"{''.join(shapes)}</svg>"
    )
    named = "; ".join(f"{one.id} {one.title}" + (f" in {one.part_of}" if one.part_of else "") for one in parts)
    return Drawing(svg, f"Software items: {named}")


def _depth(item: SoftwareItem, parts: Sequence[SoftwareItem]) -> int:
    by_id, seen = {one.id: one for one in parts}, {item.id}
    depth, above = 1, item.part_of
    while above in by_id and above not in seen:
        seen.add(above)
        depth, above = depth + 1, by_id[above].part_of
    return depth


def _place(
    children: Mapping[str | None, list[SoftwareItem]],
    above: str | None,
    column: int,
    row: int,
    *,
    counts: Mapping[str, int],
    shapes: list[str],
) -> int:
    """Draw the items below one, from a row on; returns the next free row."""
    x = column * (_WIDTH + _GAP) + 1
    for item in children.get(above, ()):
        top = row
        row = max(_place(children, item.id, column + 1, row, counts=counts, shapes=shapes), top + 1)
        y = top * _ROW + 5
        if above is not None:
            shapes.append(_line(x, y))
        shapes.append(_box(item, x, y, counts.get(item.id, 0)))
    if above is not None and children.get(above):
        shapes.append(_rail(x, row, children[above], children))
    return row


def _line(x: int, y: int) -> str:
    """From the rail before a column to a box."""
    middle = y + _HEIGHT // 2
    return f'<path d="M{x - _GAP // 2} {middle}H{x}" stroke="#7a8691" fill="none"/>'


def _rail(x: int, end: int, below: Sequence[SoftwareItem], children: Mapping[str | None, list[SoftwareItem]]) -> str:
    """The line that the boxes of one parent hang from, and its start at the parent."""
    sizes = [_rows(one, children) for one in below]
    first = (end - sum(sizes)) * _ROW + 5 + _HEIGHT // 2
    last = (end - sizes[-1]) * _ROW + 5 + _HEIGHT // 2
    return f'<path d="M{x - _GAP} {first}H{x - _GAP // 2}V{last}" stroke="#7a8691" fill="none"/>'


def _rows(item: SoftwareItem, children: Mapping[str | None, list[SoftwareItem]]) -> int:
    return max(sum(_rows(one, children) for one in children.get(item.id, ())), 1)


def _box(item: SoftwareItem, x: int, y: int, units: int) -> str:
    title = item.title if len(item.title) <= _LETTERS else f"{item.title[: _LETTERS - 1]}…"
    about = f"class {item.safety_class}" + (f", {units} unit{'' if units == 1 else 's'}" if units else "")
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="4" fill="#eef4f7" stroke="#0b5a7a"/>'
        f'<text x="{x + 8}" y="{y + 14}" fill="#1b2530">{escape(item.id)} {escape(title)}</text>'
        f'<text x="{x + 8}" y="{y + 28}" fill="#55606d">{escape(about)}</text>'
    )
