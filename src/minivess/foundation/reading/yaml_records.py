"""YAML into records: each fault with its line, what was expected, and the nearest known word."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from minivess.foundation.choices import nearest
from minivess.foundation.errors import InputError
from minivess.foundation.reading.problem_words import problem_in_words
from minivess.foundation.reading.strict_yaml import LIMITS, Limits, YamlList, YamlMap, line_at, load_yaml

_MOST_REASONS = 20
"""Problems of one file that an error names."""


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
    problems = _joined([_explain(problem, node, record, shown, known) for problem in _ordered(error, node)])
    reasons = dict.fromkeys(reason for problem in problems[:_MOST_REASONS] for reason in problem.reasons)
    return problems[0].with_reasons(reasons)


def _joined(problems: Sequence[InputError]) -> list[InputError]:
    """Where a field may have one of several kinds, what each would need becomes one error with both."""
    made: list[InputError] = []
    for one in problems:
        field, must, wanted = one.message.partition(": must be ")
        if made and must and made[-1].message.startswith(f"{field}{must}"):
            other = made.pop().message.removeprefix(f"{field}{must}").partition(", not “")[0]
            where = f"{one.path}{f':{one.line}' if one.line else ''}: "
            text = f"{field.removeprefix(where)}{must}{other} or {wanted}"
            made.append(InputError(text, path=one.path, line=one.line, hint=one.hint))
        else:
            made.append(one)
    return made


def _ordered(error: ValidationError, node: YamlMap) -> list[ErrorDetails]:
    """The problems to name: unknown fields before the missing ones they were probably meant to be, else by line."""
    problems = error.errors(include_url=False, include_input=False, include_context=True)
    problems = [one for one in problems if not (one["type"] == "too_short" and _has_another_within(one, problems))]
    unknown = [problem for problem in problems if problem["type"] == "extra_forbidden"]
    return sorted(unknown or problems, key=lambda problem: line_at(node, _steps(problem, node)))


def _has_another_within(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """Whether a list is too short only because one of its entries is wrong."""
    place = problem["loc"]
    return any(other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in problems)


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
    if isinstance(last, str) and steps and not isinstance(value, YamlMap):
        return tuple(steps)  # the tag of a kind that a value without fields was taken for
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
    if problem["type"] == "too_short" and problem["ctx"]["actual_length"]:
        held = problem["ctx"]["actual_length"]
        values = f"{held} value" + ("" if held == 1 else "s")
        return InputError(f"`{name}` has only {values}", path=shown, line=line, hint="give it more")
    message = problem_in_words(problem)
    hint = ""
    if problem["type"] in {"enum", "literal_error", "union_tag_invalid"}:
        context = problem.get("ctx", {})
        allowed = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags", "")))
        message = f"must be {_one_of(allowed)}"
        hint = nearest(str(_value_at(node, steps)), allowed)
    elif problem["type"] == "string_pattern_mismatch":
        message = f"“{_value_at(node, steps)}” has the wrong form"
        hint = f"it must match {problem['ctx']['pattern']}"
    value = _value_at(node, steps)
    if message.startswith("must ") and value:
        message = f"{message}, not “{value}”"
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
        current = _models_in(entries[0].annotation) if entries else tagged or current
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
