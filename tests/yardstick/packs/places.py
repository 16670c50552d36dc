"""Every kind of place in a pack, each at its first, a middle and its last occurrence, with the changes that are tried there.

A kind of place is a file (files of one kind, as the pages of items, are one) with a path in which positions in lists are left
out. Entries of the log are of the kind of their action and outcome.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.yardstick.fields import _bent, _other_type
from tests.yardstick.packs.formats import Format, Path, format_of

CHANGES = ("removed", "swapped", "older", "other type", "added")
ENTRIES = "data/audit/entries.jsonl"
_WHOLE: Path = ()
_KINDS = (
    (re.compile(r"(data/audit/proofs/)\d+(\.tlog-proof)"), r"\1*\2"),
    (re.compile(r"(data/traceability/items/)[^/]+(\.html)"), r"\1*\2"),
    (re.compile(r"(data/traceability/)(?!index)[^/]+(\.html)"), r"\1*\2"),
    (re.compile(r"(data/documents/)[^/]+(\.html)"), r"\1*\2"),
    (re.compile(r"(data/models/members/)[^/]+(\.json)"), r"\1*\2"),
    (re.compile(r"(data/traceability/evidence/).+"), r"\1*"),
    (re.compile(r"(signatures/)[^/]+?(\.dsse\.json|\.tlog-proof|\.cosignature)"), r"\1*\2"),
)
"""Files that are of one kind."""


def kind_of_file(name: str) -> str:
    """The name of a file, with `*` for what tells it from others of its kind."""
    for pattern, general in _KINDS:
        if pattern.fullmatch(name):
            return pattern.sub(general, name)
    return name


@dataclass(frozen=True)
class Place:
    """One occurrence of a kind of place."""

    kind: str
    file: str
    path: Path
    """Empty: the whole file."""


@dataclass(frozen=True)
class Change:
    """A place with another value."""

    place: Place
    how: str
    files: Mapping[str, bytes | None]
    """What it makes of the files; None: the file is taken out."""

    def __str__(self) -> str:
        return f"{self.place.kind} ({self.how})"


class Places:
    """The places of a pack, and those of an older one of the same kind of device."""

    def __init__(self, files: Mapping[str, bytes], older: Mapping[str, bytes]) -> None:
        self.files, self.older = files, older
        self._read: dict[str, tuple[Format, Any]] = {}

    def tries(self) -> Iterator[tuple[Place, str]]:
        """Every place that is changed, with every class of change, in a fixed order. Not each is possible."""
        for occurrences in self.kinds.values():
            for place in _first_middle_last(occurrences):
                for how in CHANGES:
                    yield place, how

    def change(self, place: Place, how: str) -> Change | None:
        """A change; None where this class of change is not possible, or changes nothing."""
        made = self._changed(place, how, self.kinds[place.kind])
        same = made is None or made.files == {name: self.files.get(name) for name in made.files}
        return None if same else made

    @cached_property
    def kinds(self) -> dict[str, list[Place]]:
        """Every place, by its kind."""
        found: dict[str, list[Place]] = defaultdict(list)
        for name in sorted(self.files):
            found[kind_of_file(name)].append(Place(kind_of_file(name), name, _WHOLE))
            form, tree = self._tree(name)
            for path in _paths(tree):
                kind = f"{kind_of_file(name)}: {_of_entry(name, tree, path)}{form.name(tree, path)}"
                found[kind].append(Place(kind, name, path))
        return found

    def _tree(self, name: str) -> tuple[Format, Any]:
        if name not in self._read:
            form = format_of(name, self.files[name])
            self._read[name] = form, form.read(self.files[name])
        return self._read[name]

    def _changed(self, place: Place, how: str, like: list[Place]) -> Change | None:
        if place.path == _WHOLE:
            return self._changed_file(place, how, like)
        form, tree = self._tree(place.file)
        tree = copy.deepcopy(tree)
        holder, step = _at(tree, place.path[:-1]), place.path[-1]
        old = holder[step]
        match how:
            case "removed":
                del holder[step]
            case "swapped":
                other = next((one for one in like if self._exchanges(place, one, old)), None)
                if other is None:
                    bent = _bent_too(old)
                    if bent is None:
                        return None
                    holder[step] = bent
                else:
                    far = _at(tree, other.path[:-1])
                    holder[step], far[other.path[-1]] = far[other.path[-1]], old
            case "older":
                found = self._older(place, like, old)
                if found is None:
                    return None
                holder[step] = found
            case "other type":
                holder[step] = _typed(old)
            case _:
                if not isinstance(old, dict | list) or place != like[0]:
                    return None
                _grow(old)
        return Change(place, how, {place.file: form.write(tree)})

    def _exchanges(self, place: Place, other: Place, old: Any) -> bool:
        """Whether another place of the same file and kind has another value, and neither is inside the other."""
        if other.file != place.file or other.path == place.path:
            return False
        short = min(len(other.path), len(place.path))
        value = _at(self._tree(other.file)[1], other.path)
        return bool(other.path[:short] != place.path[:short] and value != old)

    def _older(self, place: Place, like: list[Place], old: Any) -> Any:
        """The value at this place in the older pack, or at any of its kind, that is another one."""
        if place.file not in self.older:
            return None
        tree = format_of(place.file, self.older[place.file]).read(self.older[place.file])
        for path in (place.path, *(one.path for one in like if one.file == place.file)):
            try:
                found = _at(tree, path)
            except (LookupError, TypeError):
                continue
            if found != old and type(found) is type(old):
                return found
        return None

    def _changed_file(self, place: Place, how: str, like: list[Place]) -> Change | None:
        name, content = place.file, self.files[place.file]
        match how:
            case "removed":
                return Change(place, how, {name: None})
            case "swapped":
                others = (one.file for one in like if self.files[one.file] != content)
                other = next(others, None)
                if other is None:
                    return Change(place, how, {name: content[:-1] + bytes([content[-1] ^ 1])})
                return Change(place, how, {name: self.files[other], other: content})
            case "older":
                found = self.older.get(name)
                return None if found is None else Change(place, how, {name: found})
            case "other type":
                return Change(place, how, {name: b"[7]\n" if name.endswith((".json", ".jsonl")) else b"\xff\x00{"})
        folder, _, last = name.rpartition("/")
        return Change(place, how, {f"{folder}/x-{last}".lstrip("/"): content})


def _of_entry(name: str, tree: Any, path: Path) -> str:
    """The action and outcome of an entry, for the fields that differ from one to the other."""
    if name != ENTRIES:
        return ""
    if path[1:2] != ("body",) or path[2:3] not in {("payload",), ("inputs",), ("outputs",)}:
        return ""
    body = tree[path[0]]["body"]
    return f"{body['action']}/{body['outcome']} "


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value inside a tree."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inside:
        yield (*path, step)
        yield from _paths(item, (*path, step))


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _first_middle_last(places: list[Place]) -> list[Place]:
    wanted = sorted({0, len(places) // 2, len(places) - 1})
    return [places[index] for index in wanted]


def _bent_too(old: Any) -> Any:
    if isinstance(old, bytes):
        return bytes([old[0] ^ 1]) + old[1:] if old else None
    if isinstance(old, dict | list):
        return None
    return _bent(old)


def _typed(old: Any) -> Any:
    return b"\xff\x00{" if isinstance(old, bytes) else _other_type(old)


def _grow(value: Any) -> None:
    """One field or one item more."""
    if isinstance(value, dict):
        value["x"] = 1
    else:
        value.append(copy.deepcopy(value[-1]) if value else "x")
