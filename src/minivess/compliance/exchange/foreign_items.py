"""What every foreign file is turned into first: items with fields and links as written, and remarks on the rest.

Texts are in one normal form (`tidy`): lines end with `\\n`, ends are trimmed, and there are no control characters, so that
any of them fits into CSV, XLSX, XML and JSON alike. An empty value is no value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from minivess.foundation.errors import InputError

MAX_ITEMS = 100_000
"""Rows, objects or needs in one file."""
MAX_FILE = 64 << 20
"""Bytes of a file."""
_BAD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SPACE = re.compile(r"\s+")
_LINE_BREAK = re.compile(r" *[\t\n]+ *")
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a foreign file."""

    file: str
    line: int | None = None
    """From 1; for a spreadsheet the row."""
    within: str = ""
    """The sheet, object or node, in words."""

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        return f"{self.file}{line}{f' ({self.within})' if self.within else ''}"


@dataclass(frozen=True, slots=True)
class Remark:
    """What could not be taken, or was taken otherwise than written.

    `lost`: a value that is in no item. `changed`: a value taken in another form. `missing`: a field that an item needs
    before its file loads. `note`: something to know.
    """

    severity: Literal["lost", "changed", "missing", "note"]
    place: Place
    message: str
    item: str = ""
    """The id the item has in the foreign file, or ours once it has one."""
    field: str = ""
    value: str = ""
    """The value concerned, whole."""

    def __str__(self) -> str:
        about = f"{self.item}: " if self.item else ""
        return f"{self.place}: {about}{self.message}"


@dataclass(frozen=True, slots=True, order=True)
class ForeignLink:
    """A link as written: what it is called there, and the foreign id it points to."""

    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class ForeignItem:
    """An item as another tool has it.

    `attributes` holds everything that is neither id, kind, title, text nor link: by our name of the field where the
    mapping or a common name tells it, else by its own name.
    """

    id: str
    kind: str
    title: str
    text: str
    attributes: Mapping[str, str]
    links: tuple[ForeignLink, ...]
    place: Place
    blank: tuple[str, ...] = ()
    """What has a column and no value here: `title`, `text`, `links`, or a field of ours."""
    own: bool = False
    """Whether `export_items` wrote it: its id is the id of an item of ours."""

    def content(self) -> tuple[str, str, str, str, tuple[tuple[str, str], ...], tuple[ForeignLink, ...]]:
        """Everything but the place, to compare."""
        attributes, links = tuple(sorted(self.attributes.items())), tuple(sorted(self.links))
        return self.id, self.kind, self.title, self.text, attributes, links


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of a foreign file before it is known which of its cells is the id, the title and so on."""

    cells: Mapping[str, str]
    place: Place
    kind: str = ""
    links: tuple[ForeignLink, ...] = ()
    id: str = ""
    """Its identifier, where no cell is the id."""
    names: tuple[str, ...] = ()
    """Of all its cells, those without a value too."""


@dataclass(slots=True)
class Foreign:
    """What a foreign file holds."""

    items: list[ForeignItem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def tidy(text: str) -> str:
    """The normal form of a text."""
    return trimmed(_BAD.sub("", text))


def trimmed(text: str) -> str:
    """The normal form of a text but for its control characters, which stay."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def tidy_line(text: str) -> str:
    """The normal form of a text of one line: an id or a name."""
    return _SPACE.sub(" ", tidy(text)).strip()


def one_line(text: str) -> str:
    """A text without tabs and line breaks; other spaces stay as they are."""
    return _LINE_BREAK.sub(" ", tidy(text))


def cleaned(text: str, place: Place, remarks: list[Remark], *, name: str = "") -> str:
    """`tidy`, with a remark when characters had to go."""
    bad = _BAD.findall(text)
    if bad:
        found = ", ".join(sorted({f"U+{ord(one):04X}" for one in bad})[:8])
        message = f"{len(bad)} control characters were removed{f' from `{name}`' if name else ''} ({found})"
        remarks.append(Remark("changed", place, message, field=name))
    return tidy(text)


def tidy_row(row: Row, remarks: list[Remark], ends: Counter[str]) -> Row:
    """A row with clean names and values, without empty ones.

    Args:
        row: as read.
        remarks: what had to go is added here.
        ends: counts, by name, the values that had spaces at their ends (`tell_ends`).
    """
    cells: dict[str, str] = {}
    names: dict[str, None] = {}
    for written, value in row.cells.items():
        name = free_name(tidy_line(written), names)
        names[name] = None
        clean = cleaned(value, row.place, remarks, name=name)
        ends[name] += bool(clean) and value.strip("\r\n") != value.strip()
        if clean:
            cells[name] = clean
    links = (ForeignLink(tidy_line(link.relation), tidy_line(link.target)) for link in row.links)
    unique = dict.fromkeys(link for link in links if link.target)
    kind, identifier = tidy_line(row.kind), tidy_line(row.id)
    return replace(row, cells=cells, kind=kind, links=tuple(unique), id=identifier, names=tuple(names))


def tell_ends(ends: Counter[str], file: str, remarks: list[Remark]) -> None:
    """Say of how many values the spaces at the ends were left out."""
    for name, count in ends.items():
        if count:
            message = f"spaces at the ends of {count} value(s) of `{name}` are not taken"
            remarks.append(Remark("changed", Place(file), message, field=name))


def free_name(name: str, used: Container[str]) -> str:
    """The name, with a number when it is used already."""
    number, free = 2, name
    while free in used:
        free = f"{name} ({number})"
        number += 1
    return free


def short(value: str) -> str:
    """A value for a message."""
    line = _SPACE.sub(" ", value)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}… ({len(value)} characters)"


def lost(place: Place, name: str, value: str, why: str, *, item: str = "") -> Remark:
    """The remark on a value that is taken nowhere."""
    return Remark("lost", place, f"`{name}` {why}: {short(value)}", item=item, field=name, value=value)


def check_count(count: int, file: str) -> None:
    """Refuse more items than a file may hold.

    Raises:
        InputError: there are more than `MAX_ITEMS`.
    """
    if count > MAX_ITEMS:
        raise InputError(f"holds more than {MAX_ITEMS} items", path=file, hint="split the file")


def circles(leads: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """One way round for each group of things that lead to one another."""
    state: dict[str, int] = {}
    for start in leads:
        if start in state:
            continue
        path: list[str] = [start]
        state[start] = 1
        pending = [iter(leads.get(start, ()))]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                state[path.pop()] = 2
            elif state.get(following) == 1:
                yield [*path[path.index(following) :], following]
            elif following not in state:
                state[following] = 1
                path.append(following)
                pending.append(iter(leads.get(following, ())))
