"""YAML read strictly: every value knows its line, and whatever could surprise is refused.

A subset of YAML 1.2 (core schema, so `no` and `2026-11-20` are text): no aliases (a few bytes could stand for a
billion), no tags, no second document, no duplicate keys, and limits on size, depth and number of values. The events
come from libyaml; the tree is built here with a stack of its own, so depth never reaches the interpreter's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited

Plain = None | bool | int | float | str


@dataclass(frozen=True)
class Limits:
    """What a YAML file may cost."""

    size: int = 4 << 20
    """Bytes."""
    depth: int = 32
    """Lists and mappings inside one another."""
    values: int = 400_000
    """Scalars, lists and mappings together."""


LIMITS = Limits()


class YamlMap(dict[str, Any]):
    """A mapping as it was read, with its line (from 1) and the line of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlList(list[Any]):
    """A list as it was read, with its line (from 1) and the line of each element."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def line_at(root: YamlMap | YamlList, steps: Sequence[str | int]) -> int:
    """The line of what `steps` (keys and indices) leads to, or of the nearest thing above that exists."""
    node: Any = root
    line = root.line
    for step in steps:
        try:
            line = node.lines[step]
            node = node[step]
        except (AttributeError, LookupError, TypeError):
            break
    return line


_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, Plain] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LONGEST_NUMBER = 40
_NEXT_LINE = "\x85"
_NOTHING = frozenset(word for word, value in _WORDS.items() if value is None)


def _resolve(text: str) -> Plain:
    """Give a plain scalar its YAML 1.2 core-schema type (section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "+-.0123456789" and len(text) <= _LONGEST_NUMBER:
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
    return text


def as_written(text: str) -> Plain:
    """A plain scalar as its text, which no number or word of YAML replaces; None where nothing is written."""
    return None if text in _NOTHING else text


def load_yaml(
    path: Path, *, limits: Limits = LIMITS, shown: str | None = None, resolve: Callable[[str], Plain] = _resolve
) -> Any:
    """Read one YAML document: a scalar, or a `YamlMap` or `YamlList` of such.

    Args:
        path: the file.
        limits: what it may cost.
        shown: how errors call the file; defaults to `path`.
        resolve: the value of a plain scalar: that of the core schema, or `as_written`.

    Raises:
        InputError: the file is missing, too large, not UTF-8, not YAML, or uses something refused here; with its line.
    """
    name = shown or str(path)
    try:
        data = read_limited(path, limit=limits.size)
    except InputError as error:
        raise InputError(error.message.removeprefix(f"{path}: "), path=name, hint=error.hint) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "is not UTF-8 text", path=name, line=data.count(b"\n", 0, error.start) + 1, hint="save it as UTF-8"
        ) from None
    return parse_yaml(text, limits=limits, shown=name, resolve=resolve)


def parse_yaml(
    text: str, *, limits: Limits = LIMITS, shown: str = "text", resolve: Callable[[str], Plain] = _resolve
) -> Any:
    """`load_yaml` for text in memory.

    Raises:
        InputError: as `load_yaml`.
    """
    if _NEXT_LINE in text:
        raise InputError(
            "holds the character U+0085, which readers of YAML take for a line break or for a character",
            path=shown,
            line=text.count("\n", 0, text.index(_NEXT_LINE)) + 1,
            hint='write it as "\\N" between double quotes, or remove it',
        )
    try:
        documents = _build(yaml.CSafeLoader(text).get_event, limits, shown, resolve)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(
            f"is not YAML: {error.problem or error.context}",
            path=shown,
            line=mark.line + 1 if mark else None,
            hint="look for an unclosed bracket or quote, or wrong indentation, at or above that line",
        ) from None
    except yaml.YAMLError as error:
        raise InputError(f"is not YAML: {str(error).splitlines()[0]}", path=shown) from None
    if not documents:
        raise InputError("is empty", path=shown, line=1)
    return documents[0]


def _build(next_event: Callable[[], Any], limits: Limits, shown: str, resolve: Callable[[str], Plain]) -> YamlList:
    """The list of the documents, of which there is at most one.

    One loop with a stack of its own: what a value costs here is what a tree of thousands of items costs to read.
    """
    documents = YamlList(1)
    here: Any = documents
    key: str | None = None
    above: list[tuple[Any, str | None]] = []
    count = 0
    while (event := next_event()) is not None:
        kind = type(event)
        if kind in _ENDS:
            here, key = above.pop()
            continue
        if kind not in _VALUES:
            _between(event, documents, shown)
            continue
        line = event.start_mark.line + 1
        if event.anchor is not None or event.tag is not None:
            _refuse_surprises(event, shown)
        if type(here) is YamlMap and key is None:
            key = _key(event, here, shown)
            here.lines[key] = line
            continue
        value = _begun(event, kind, line, resolve)
        count += 1
        if count > limits.values:
            raise InputError(f"holds more than {limits.values} values", path=shown, line=line)
        if key is None:
            here.append(value)
            here.lines.append(line)
        else:
            here[key] = value
        if kind is yaml.ScalarEvent:
            key = None
            continue
        above.append((here, None))
        here, key = value, None
        if len(above) > limits.depth:
            raise InputError(f"is nested more than {limits.depth} deep", path=shown, line=line)
    return documents


_VALUES = frozenset({yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent})
_ENDS = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})


def _begun(event: Any, kind: type, line: int, resolve: Callable[[str], Plain]) -> Any:
    """The value an event is, or begins."""
    if kind is yaml.ScalarEvent:
        return resolve(event.value) if event.implicit[0] else event.value
    return YamlMap(line) if kind is yaml.MappingStartEvent else YamlList(line)


def _key(event: Any, mapping: YamlMap, shown: str) -> str:
    """The key an event is, which its mapping must not have yet."""
    line = event.start_mark.line + 1
    if type(event) is not yaml.ScalarEvent:
        raise InputError("a key must be a word", path=shown, line=line)
    key: str = event.value
    if key in mapping.lines:
        message = f"`{key}` is written twice (first on line {mapping.lines[key]})"
        raise InputError(message, path=shown, line=line, hint="keep one of them")
    return key


def _between(event: Any, documents: YamlList, shown: str) -> None:
    """Refuse an alias and a second document; what else begins or ends around values says nothing."""
    kind = type(event)
    if kind is yaml.AliasEvent:
        _refuse_surprises(event, shown)
    if kind is yaml.DocumentStartEvent and documents:
        line = event.start_mark.line + 1
        raise InputError("holds more than one document", path=shown, line=line, hint="keep one document a file")


def _refuse_surprises(event: Any, shown: str) -> None:
    line = event.start_mark.line + 1
    if event.anchor is not None:
        raise InputError("anchors and aliases are refused", path=shown, line=line, hint="write the value out")
    if event.tag is not None and event.tag != "!":
        raise InputError(f"the tag {event.tag} is refused", path=shown, line=line, hint="remove the tag")
