"""Rows of cells made items: which cell is the id, which the title, the text, a link; the rest stays an attribute."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from minivess.compliance.exchange.foreign_items import (
    Foreign,
    ForeignItem,
    ForeignLink,
    Remark,
    Row,
    check_count,
    free_name,
    one_line,
    short,
    tell_ends,
    tidy_line,
    tidy_row,
)
from minivess.compliance.exchange.mapping import (
    IDENTIFIER,
    IGNORE,
    KIND,
    LINKS,
    OUR_LINKS,
    TEXT,
    TITLE,
    ForeignMapping,
    assign,
)

_SEPARATORS = re.compile(r"[\n;,|]+")
_BLANK = re.compile(r"\s+")


def recognise(rows: Iterable[Row], mapping: ForeignMapping, foreign: Foreign) -> None:
    """Turn rows into items of `foreign`, with a remark on whatever stays out.

    What a name means is the same in all rows of one kind, whichever of their cells are empty.

    Raises:
        InputError: there are too many rows.
    """
    clean: list[Row] = []
    ends: Counter[str] = Counter()
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        check_count(len(clean), row.place.file)
        tidied = tidy_row(row, foreign.remarks, ends)
        clean.append(tidied)
        names.setdefault(tidied.kind, {}).update(dict.fromkeys(tidied.names))
    if clean:
        tell_ends(ends, clean[0].place.file, foreign.remarks)
    known = {kind: assign(found, mapping) for kind, found in names.items()}
    begun = len(foreign.items)
    pending: list[list[tuple[str, str]]] = []
    for row in clean:
        item, cells = _item(row, known[row.kind], foreign.remarks)
        if not any((item.id, item.kind, item.title, item.text, item.attributes, item.links, cells)):
            continue
        foreign.items.append(item)
        pending.append(cells)
    _split_links(foreign, begun, pending)


def _item(row: Row, meaning: dict[str, str], remarks: list[Remark]) -> tuple[ForeignItem, list[tuple[str, str]]]:
    """An item without the links of its cells, and those cells."""
    core = {IDENTIFIER: "", TITLE: "", TEXT: "", KIND: row.kind}
    attributes: dict[str, str] = {}
    cells: list[tuple[str, str]] = []
    for name, value in row.cells.items():
        target = meaning.get(name)
        if target == IGNORE:
            message = f"`{name}` is left out, as the mapping says: {short(value)}"
            remarks.append(Remark("lost", row.place, message, field=name, value=value))
        elif target == LINKS or target in OUR_LINKS:
            cells.append((name if target == LINKS else str(target), value))
        elif target in core and (target == TEXT or not core[target] or core[target] == tidy_line(value)):
            core[target] = f"{core[target]}\n\n{value}" if core[target] and target == TEXT else value
        elif target in core:
            _keep(attributes, name, value)
        else:
            _keep(attributes, target or name, value)
    for name, shown in ((IDENTIFIER, tidy_line), (TITLE, one_line), (KIND, tidy_line)):
        line = shown(core[name])
        if line != core[name]:
            what = "line breaks and tabs" if name == TITLE else "line breaks, tabs and repeated or wide spaces"
            message = f"{what} in the {name} were made spaces: {short(core[name])}"
            remarks.append(Remark("changed", row.place, message, field=name, value=core[name]))
        core[name] = line
    blank = tuple(dict.fromkeys(meaning[name] for name in row.names if name in meaning and name not in row.cells))
    identifier = core[IDENTIFIER] or row.id
    item = ForeignItem(identifier, core[KIND], core[TITLE], core[TEXT], attributes, row.links, row.place, blank)
    return item, cells


def _keep(attributes: dict[str, str], name: str, value: str) -> None:
    attributes[free_name(name, attributes)] = value


def _split_links(foreign: Foreign, begun: int, pending: list[list[tuple[str, str]]]) -> None:
    """Split cells that name several items, now that all ids of the file are known."""
    known = {item.id for item in foreign.items}
    for offset, cells in enumerate(pending):
        if cells:
            item = foreign.items[begun + offset]
            found = [ForeignLink(relation, target) for relation, value in cells for target in _targets(value, known)]
            links = tuple(dict.fromkeys((*item.links, *found)))
            foreign.items[begun + offset] = replace(item, links=links)


def _targets(value: str, known: set[str]) -> list[str]:
    """The ids a cell names: the whole of it when there is such an id, else its parts."""
    whole = tidy_line(value)
    if whole in known:
        return [whole]
    found: list[str] = []
    for line in map(tidy_line, value.split("\n")):
        if line in known:
            found.append(line)
            continue
        for part in filter(None, map(tidy_line, _SEPARATORS.split(line))):
            words = _BLANK.split(part)
            several = part not in known and len(words) > 1 and all(_looks_like_id(word, known) for word in words)
            found += words if several else [part]
    return found


def _looks_like_id(word: str, known: set[str]) -> bool:
    return word in known or (any(one.isdigit() for one in word) and any(one in "-_." for one in word))
