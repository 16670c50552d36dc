"""YAML read strictly: every value knows its line, and whatever could surprise is refused.

A subset of YAML 1.2 (core schema, so `no` and `2026-11-20` are text): no aliases (a few bytes could stand for a
billion), no tags, no second document, no duplicate keys, and limits on size, depth and number of values. The events
come from libyaml; the tree is built here with a stack of its own, so depth never reaches the interpreter's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited

Plain = None | bool | int | float | str

_MOST_REASONS = 20
"""Problems of one file that an error names."""


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


def load_yaml(path: Path, *, limits: Limits = LIMITS, shown: str | None = None) -> Any:
    """Read one YAML document: a scalar, or a `YamlMap` or `YamlList` of such.

    Args:
        path: the file.
        limits: what it may cost.
        shown: how errors call the file; defaults to `path`.

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
    return parse_yaml(text, limits=limits, shown=name)


def parse_yaml(text: str, *, limits: Limits = LIMITS, shown: str = "text") -> Any:
    """`load_yaml` for text in memory.

    Raises:
        InputError: as `load_yaml`.
    """
    try:
        documents = _build(yaml.CSafeLoader(text).get_event, limits, shown)
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


def _build(next_event: Callable[[], Any], limits: Limits, shown: str) -> YamlList:
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
        value = _begun(event, kind, line)
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


def _begun(event: Any, kind: type, line: int) -> Any:
    """The value an event is, or begins."""
    if kind is yaml.ScalarEvent:
        return _resolve(event.value) if event.implicit[0] else event.value
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


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of what is known, or all of it when nothing is near (at most twelve)."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known)[:12])}" if known else ""


def read_record[R: BaseModel](path: Path, record: type[R], *, limits: Limits = LIMITS, shown: str | None = None) -> R:
    """Read a YAML file that holds one record.

    Raises:
        InputError: as `load_yaml`, or a field is missing, unknown or wrong; with file, line and a hint.
    """
    name = shown or str(path)
    return validate_node(load_yaml(path, limits=limits, shown=name), record, shown=name)


def validate_node[R: BaseModel](
    node: Any, record: type[R], *, shown: str, line: int = 1, given: Mapping[str, Any] | None = None
) -> R:
    """Make a record of a value that was read.

    Args:
        node: it; only a `YamlMap` can be a record.
        record: the model.
        shown: how errors call the file.
        line: where the value stands.
        given: fields that come from here and not from the file (the source of an item, say).

    Raises:
        InputError: a field is missing, unknown or wrong; with file, line and a hint.
    """
    if not isinstance(node, YamlMap):
        raise InputError(f"a {record.__name__} is a mapping of fields", path=shown, line=line)
    given = given or {}
    for key in given.keys() & node.keys():
        known = ", ".join(_fields(record, given))
        raise InputError(f"unknown field `{key}`", path=shown, line=node.lines[key], hint=f"known here: {known}")
    try:
        return record.model_validate({**node, **given})
    except ValidationError as error:
        raise _explained(error, node, record, shown, _fields(record, given)) from None


def _fields(record: type[BaseModel], given: Mapping[str, Any]) -> list[str]:
    return [name for name in record.model_fields if name not in given]


def _explained(
    error: ValidationError, node: YamlMap, record: type[BaseModel], shown: str, known: list[str]
) -> InputError:
    """The first problem as an error, with all problems as its reasons."""
    problems = [_explain(problem, node, record, shown, known) for problem in _ordered(error, node)]
    reasons = dict.fromkeys(reason for problem in problems[:_MOST_REASONS] for reason in problem.reasons)
    return problems[0].with_reasons(reasons)


def _ordered(error: ValidationError, node: YamlMap) -> list[ErrorDetails]:
    """The problems to name: unknown fields before the missing ones they were probably meant to be, else by line."""
    problems = error.errors(include_url=False, include_input=False, include_context=True)
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    return sorted(unknown or problems, key=lambda problem: line_at(node, _steps(problem, node)))


def _steps(problem: ErrorDetails, node: YamlMap) -> tuple[str | int, ...]:
    """Where a problem is in the file, as keys and indices.

    The tag by which a union chose its record is in the location of a problem, but is no key of the file. A tag that
    names no record is a problem of the key that holds it.
    """
    steps: list[str | int] = []
    value: Any = node
    *above, last = problem["loc"] or ("",)
    for step in above:
        if isinstance(value, YamlMap) and step not in value:
            continue
        steps.append(step)
        value = _child(value, step)
    steps += [last] if problem["loc"] else []
    if problem["type"] == "union_tag_invalid":
        steps.append(str(problem["ctx"]["discriminator"]).strip("'"))
    return tuple(steps)


def _child(value: Any, step: str | int) -> Any:
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _explain(problem: ErrorDetails, node: YamlMap, record: type[BaseModel], shown: str, known: list[str]) -> InputError:
    steps = _steps(problem, node)
    line = line_at(node, steps)
    name = ".".join(str(step) for step in steps)
    last = str(steps[-1]) if steps else ""
    inside = _model_at(record, problem["loc"][:-1])
    fields = known if inside is record else list(inside.model_fields) if inside else []
    if problem["type"] == "extra_forbidden":
        return InputError(f"unknown field `{name}`", path=shown, line=line, hint=nearest(last, fields))
    if problem["type"] == "missing" and steps and isinstance(steps[-1], int):
        whole = ".".join(str(step) for step in steps[:-1])
        return InputError(f"`{whole}` has only {steps[-1]} values", path=shown, line=line, hint="give it more")
    if problem["type"] == "missing":
        return InputError(f"the field `{name}` is missing", path=shown, line=line, hint=f"add `{last}:`")
    message = problem["msg"].removeprefix("Value error, ")
    hint = ""
    if problem["type"] in {"enum", "literal_error", "union_tag_invalid"}:
        context = problem.get("ctx", {})
        allowed = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
        if problem["type"] == "union_tag_invalid":
            message = f"Input should be {_one_of(allowed)}"
        hint = nearest(str(_value_at(node, steps)), allowed)
    elif problem["type"] == "string_pattern_mismatch":
        message = f"{_value_at(node, steps)!r} has the wrong form"
        hint = f"it must match {problem['ctx']['pattern']}"
    return InputError(f"`{name}`: {message}" if name else message, path=shown, line=line, hint=hint)


def _value_at(node: YamlMap, steps: Sequence[str | int]) -> object:
    """The scalar that steps lead to, shortened for a message; empty when there is none."""
    value: Any = node
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
    return "" if isinstance(value, dict | list) else str(value)[:60]


def _one_of(words: Sequence[str]) -> str:
    *first, last = (f"'{word}'" for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def _model_at(record: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    """The model whose fields are at a problem's location, following field annotations and tags of unions."""
    current: list[type[BaseModel]] = [record]
    for step in location:
        if isinstance(step, int):
            continue
        entries = [model.model_fields[step] for model in current if step in model.model_fields]
        tagged = [model for model in current if _is_tagged(model, step)]
        current = _models_in(entries[0].annotation) if entries else tagged
    return current[0] if current else None


def _is_tagged(model: type[BaseModel], tag: str) -> bool:
    return any(tag in get_args(field.annotation) for field in model.model_fields.values())


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def read_items(
    path: Path, kinds: Mapping[str, type[BaseModel]], *, shown: str, limits: Limits = LIMITS
) -> dict[str, list[Any]]:
    """Read a YAML file of named lists of records, each with the `source` (path as shown, line) it is written on.

    Args:
        path: the file.
        kinds: record type by name of the list; every type has a field `source`.
        shown: the path relative to the source tree, as kept in the records.
        limits: what the file may cost.

    Returns:
        The records by name of list, in the order of the file; an absent list is empty.

    Raises:
        InputError: as `load_yaml`, or an unknown list or malformed item; with file, line and a hint.
    """
    root = load_yaml(path, limits=limits, shown=shown)
    if not isinstance(root, YamlMap):
        line = root.line if isinstance(root, YamlList) else 1
        raise InputError("must be a mapping", path=shown, line=line, hint=f"begin with `{next(iter(kinds))}:`")
    items: dict[str, list[Any]] = {name: [] for name in kinds}
    for name, listed in root.items():
        line = root.lines[name]
        if name not in kinds:
            raise InputError(f"unknown list `{name}`", path=shown, line=line, hint=nearest(name, list(kinds)))
        if not isinstance(listed, YamlList):
            raise InputError(f"`{name}` must be a list", path=shown, line=line, hint="begin items with `- id:`")
        for node, begins in zip(listed, listed.lines, strict=True):
            source = {"path": shown, "line": begins}
            items[name].append(validate_node(node, kinds[name], shown=shown, line=begins, given={"source": source}))
    return items


def read_folder(
    source: Path, name: str, kinds: Mapping[str, type[BaseModel]], *, without: Collection[str] = ()
) -> list[Any]:
    """Read all YAML files right inside a folder of a source tree, by name, as `read_items` reads one.

    Args:
        source: the tree.
        name: the folder in it.
        kinds: record type by name of the list.
        without: files that hold something else.

    Raises:
        InputError: as `read_items`.
    """
    found: list[Any] = []
    for path in sorted((source / name).glob("*.yaml")):
        if path.name not in without:
            lists = read_items(path, kinds, shown=f"{name}/{path.name}")
            found += (item for listed in lists.values() for item in listed)
    return found
