"""Attributes of a foreign item made the fields of one of our records, each value checked by the record itself."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from minivess.compliance.exchange.foreign_items import ForeignItem, Place, Remark, lost, short
from minivess.compliance.exchange.mapping import CONTROL_KIND, ForeignMapping
from minivess.compliance.exchange.words import our_word
from minivess.foundation.implements import implements
from minivess.foundation.reading.problem_words import problem_in_words
from minivess.records.items.items import Item
from minivess.records.items.kinds import Kind, link_fields

MAX_TITLE = 200
_NOT_TYPED = frozenset({"id", "source", "title", "statement"})
_TRUE = frozenset({"true", "yes", "ja", "1", "x", "wahr"})
_FALSE = frozenset({"false", "no", "nein", "0", "falsch"})
_LISTED = re.compile(r"[\n;]+")
_WHOLE = re.compile(r"([-+]?[0-9]{1,15})(?:[.,]0{1,2})?", re.ASCII)
_REAL = re.compile(r"[-+]?[0-9]{1,15}(?:[.,][0-9]{1,17})?(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]*,[0-9]{3}", re.ASCII)


@dataclass(slots=True)
class Conversions:
    """What of a file became another word, number or list than written, each once."""

    defaults: Counter[str] = field(default_factory=Counter)
    """How many items have a field from the mapping's defaults."""
    values: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By field, value as written and value as taken: how often."""

    def note(self, name: str, written: str, taken: Any) -> None:
        """Count a value, where it is not taken as written."""
        for theirs, ours in _pairs(written, taken):
            if theirs != ours:
                self.values[name, theirs, ours] += 1

    def remarks(self, place: Place, mapping: ForeignMapping) -> Iterator[Remark]:
        """A remark on each."""
        for name, count in self.defaults.items():
            message = f"`{name}` of {count} items is the mapping's default, {mapping.defaults[name]}"
            yield Remark("note", place, message, field=name)
        for (name, theirs, ours), count in self.values.items():
            message = f"`{name}`: `{short(theirs)}` is taken as {short(ours)} ({count} times)"
            yield Remark("changed", place, message, field=name, value=theirs)


def _pairs(written: str, taken: Any) -> Iterator[tuple[str, str]]:
    """Values as written and as taken, beside one another."""
    if isinstance(taken, list) and written.startswith("["):
        return  # a list as `export_items` writes one
    if isinstance(taken, list):
        parts = [part.strip() for part in _LISTED.split(written) if part.strip()]
        if len(parts) == len(taken) and all(isinstance(one, str) for one in taken):
            yield from zip(parts, map(str, taken), strict=True)
        if len(parts) > 1 and ";" in written:
            yield written, f"{len(taken)} entries"
    elif isinstance(taken, bool):
        yield written, "true" if taken else "false"
    else:
        yield written, str(taken)


@implements("REQ-260")
def fields_of(
    item: ForeignItem, kind: Kind, mapping: ForeignMapping, remarks: list[Remark], conversions: Conversions
) -> dict[str, Any]:
    """The fields of an item but its id and its links.

    Args:
        item: as recognised.
        kind: what it becomes.
        mapping: words and defaults.
        remarks: what is taken otherwise or not at all is added here.
        conversions: what is taken in another word is counted here.
    """
    record = kind.record
    data = _texts(item, record, remarks)
    links = link_fields(record)
    for written, value in item.attributes.items():
        name = "kind" if written == CONTROL_KIND else written
        head, _, rest = name.partition(".")
        nested = _model(record, head)
        if nested is not None and rest in nested.model_fields:
            read = _value(nested, rest, value, mapping)
            conversions.note(name, value, value if read is None else read)
            data.setdefault(head, {})[rest] = value if read is None else read
        elif name in record.model_fields and name not in _NOT_TYPED and name not in links:
            found = _value(record, name, value, mapping)
            if found is None:
                allowed = ", ".join(_allowed(record.model_fields[name].annotation))
                why = f"is none of {allowed}" if allowed else "does not fit its field"
                remarks.append(lost(item.place, name, value, f"{why} and is not taken", item=item.id))
            else:
                data[name] = found
                conversions.note(name, value, found)
        else:
            why = f"has no field in {kind.prefix} and is not taken"
            remarks.append(lost(item.place, name, value, why, item=item.id))
    for name, default in mapping.defaults.items():
        if name in record.model_fields and name not in data and name not in links:
            found = _value(record, name, str(default), mapping)
            if found is None:
                why = "is the mapping's default and does not fit its field"
                remarks.append(lost(item.place, name, str(default), why, item=item.id))
            else:
                data[name] = found
                conversions.defaults[name] += 1
    return data


def check_fields(
    data: dict[str, Any], kind: Kind, identifier: str, item: ForeignItem, remarks: list[Remark]
) -> tuple[str, ...]:
    """Take out values that the record refuses, and name the fields it lacks.

    Args:
        data: fields; those refused are removed.
        kind: what it becomes.
        identifier: its id.
        item: where it comes from.
        remarks: refused values are added here.

    Returns:
        Names of mandatory fields without a value.
    """
    source = {"path": item.place.file, "line": item.place.line or 1}
    while True:
        try:
            kind.record.model_validate({**data, "id": identifier, "source": source})
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=True)
            wrong = [problem for problem in problems if problem["type"] != "missing" and problem["loc"]]
            names = dict.fromkeys(str(problem["loc"][0]) for problem in wrong if problem["loc"][0] in data)
            if not names:
                return tuple(dict.fromkeys(".".join(map(str, problem["loc"])) for problem in problems))
            for name in names:
                said = next(problem_in_words(problem) for problem in wrong if problem["loc"][0] == name)
                value = data.pop(name)
                shown = value if isinstance(value, str) else str(value)
                remarks.append(lost(item.place, name, shown, f"is not taken ({said})", item=item.id))
        else:
            return ()


def _texts(item: ForeignItem, record: type[Item], remarks: list[Remark]) -> dict[str, Any]:
    """Title and statement; one is read from the other where only one is written."""
    title, text = item.title, item.text
    states = "statement" in record.model_fields
    data: dict[str, Any] = {}
    if states and (text or title):
        data["statement"] = text or title
        if not text:
            remarks.append(Remark("changed", item.place, "has no text; its title is the statement too", item=item.id))
    elif text:
        remarks.append(lost(item.place, "text", text, "has no field here and is not taken", item=item.id))
    if not title and text:
        title = _shortened(text)
        message = f"has no title; the beginning of its text is taken: {short(title)}"
        remarks.append(Remark("changed", item.place, message, item=item.id))
    elif len(title) > MAX_TITLE:
        message = f"the title has {len(title)} characters and is shortened to {MAX_TITLE}"
        remarks.append(Remark("changed", item.place, message, item=item.id, field="title", value=title))
        title = _shortened(title)
    if title:
        data["title"] = title
    return data


def _shortened(text: str) -> str:
    """The first sentence or line, or as many words as a title may have."""
    line = " ".join(text[:2000].strip().split("\n", 1)[0].split())
    sentence = re.match(r"(.{10,}?[.;!?])(?=\s|$)", line)
    begun = sentence.group(1).rstrip(".;") if sentence and len(sentence.group(1)) <= MAX_TITLE else line
    if len(begun) <= MAX_TITLE:
        return begun
    cut = begun[: MAX_TITLE - 1]
    return f"{cut.rsplit(' ', 1)[0] if ' ' in cut[100:] else cut}…"


def _value(record: type[BaseModel], name: str, value: str, mapping: ForeignMapping) -> Any:
    """A text as the type its field has; None when it cannot be."""
    annotation = record.model_fields[name].annotation
    allowed = _allowed(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if allowed and origin is not tuple:
        return our_word(name, value, allowed, mapping)
    translated = mapping.values.get(name, {}).get(value, value)
    if origin is tuple and translated.startswith("["):
        return _listed(translated)
    if origin is tuple:
        parts = [part.strip() for part in _LISTED.split(translated) if part.strip()]
        words = [our_word(name, part, allowed, mapping) if allowed else part for part in parts]
        return None if None in words else words
    kinds: set[Any] = {annotation, *inner}
    readers: tuple[tuple[type, Callable[[str], Any]], ...] = ((bool, _truth), (int, _whole), (float, _real))
    for kind, read in readers:
        if kind in kinds:
            return read(translated)
    return translated


def _allowed(annotation: Any) -> list[str]:
    """The fixed values of a field; none when it is free."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [word.value for word in annotation]
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    if get_origin(annotation) is Annotated:
        return _allowed(get_args(annotation)[0])
    return next((found for part in get_args(annotation) if (found := _allowed(part))), [])


def _model(record: type[Item], name: str) -> type[BaseModel] | None:
    annotation = record.model_fields[name].annotation if name in record.model_fields else None
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _listed(value: str) -> list[Any] | None:
    """A list as `export_items` writes one that is more than plain lines."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _truth(value: str) -> bool | None:
    word = value.strip().casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def _whole(value: str) -> int | None:
    """A whole number, as spreadsheets write it too (4,0); None for what may have marks of thousands (1.000)."""
    found = _WHOLE.fullmatch(value.strip())
    return int(found.group(1)) if found else None


def _real(value: str) -> int | float | None:
    """A number with a decimal comma or point; None where a comma may be a mark of thousands (1,000)."""
    text = value.strip()
    if not _REAL.fullmatch(text) or _THOUSANDS.fullmatch(text):
        return None
    point = text.replace(",", ".")
    return int(point) if re.fullmatch(r"[-+]?[0-9]+", point, re.ASCII) else float(point)
