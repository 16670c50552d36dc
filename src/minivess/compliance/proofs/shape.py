"""Canonical JSON of records of one kind, many and quickly: bytes in, fields out, nothing but canonical bytes accepted.

A record's fields are turned into a `msgspec` struct once. Decoding into it checks names and JSON types, and where that is
asked for patterns and bounds; encoding it again, with names in order, must give the same bytes.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import annotated_types as bounds
import msgspec
from pydantic import StringConstraints
from pydantic.fields import FieldInfo

from minivess.compliance.proofs.canonical import SAFE_INTEGER, is_plain, parse_canonical
from minivess.foundation.errors import InputError
from minivess.records.base import Record

_PLAIN: dict[Any, Any] = {bool: bool, types.NoneType: None, dict: dict[str, Any]}
_SAFE = Annotated[int, msgspec.Meta(gt=-SAFE_INTEGER, lt=SAFE_INTEGER)]
_BOUNDS = frozenset({bounds.Gt, bounds.Ge, bounds.Lt, bounds.Le})
_PATTERNS = {
    datetime: r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z$",
    UUID: r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
}
"""How records write what JSON has no type for. (That a day is in the calendar no pattern says.)"""


def parser_of(record: type[Record], *, free: str, limit: int, exact: bool = False) -> Callable[[bytes], Any]:
    """A function that takes canonical bytes apart.

    Args:
        record: what is written there.
        free: path of the one field, separated by dots, that holds an object of no fixed shape.
        limit: bytes.
        exact: whether texts and numbers must be as the record declares them (patterns, lengths, bounds, words of a list);
            else JSON types are enough.

    Returns:
        From bytes to an object with the record's fields, texts and numbers as JSON has them. It raises `InputError` for
        anything but the canonical form (RFC 8785) of every field of the record.
    """
    shape = _struct(record, exact)
    decode = msgspec.json.Decoder(shape).decode
    encode = msgspec.json.Encoder(order="deterministic").encode
    inside = attrgetter(free)

    def parse(data: bytes) -> Any:
        try:
            if len(data) <= limit:
                found = decode(data)
                if encode(found) == data and (not (held := inside(found)) or is_plain(held)):
                    return found
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            pass  # the careful way below says what is wrong
        value = parse_canonical(data, limit=limit)
        try:
            return msgspec.convert(value, shape)
        except msgspec.MsgspecError as error:
            where = str(error).rpartition("`$.")[2].rstrip("`")
            raise InputError(f"see its {where or 'fields'}") from None

    return parse


def _struct(record: type[Record], exact: bool) -> type[msgspec.Struct]:
    hints = get_type_hints(record, include_extras=True)
    fields = [(name, _shape(hints[name], exact)) for name in sorted(record.model_fields)]
    return msgspec.defstruct(record.__name__, fields, forbid_unknown_fields=True, gc=False)


def _shape(kind: Any, exact: bool, marks: Iterable[Any] = ()) -> Any:
    """How JSON carries a field."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _shape(inner[0], exact, inner[1:])
    if origin in {Union, types.UnionType}:
        return Union[tuple(_shape(one, exact) for one in inner)]  # noqa: UP007  made of what is not known before
    if origin is tuple:
        return list[_shape(inner[0], exact)]  # type: ignore[misc]
    if isinstance(kind, type) and issubclass(kind, Record):
        return _struct(kind, exact)
    if (origin or kind) in _PLAIN:
        return _PLAIN[origin or kind]
    return _text_or_number(kind, marks) if exact else _SAFE if kind is int else str


def _text_or_number(kind: Any, marks: Iterable[Any]) -> Any:
    if get_origin(kind) is Literal:
        return kind
    if kind is int:
        said = {"lt": SAFE_INTEGER} | _meta(marks)
        return Annotated[int, msgspec.Meta(**(said if said.keys() & {"ge", "gt"} else {"gt": -SAFE_INTEGER} | said))]
    if issubclass(kind, Enum):
        return Literal[tuple(word.value for word in kind)]
    if kind is not str and kind not in _PATTERNS:
        raise TypeError(f"a shape cannot hold {kind!r}")
    said = {"pattern": _to_the_end(_PATTERNS[kind])} if kind in _PATTERNS else _meta(marks)
    return Annotated[str, msgspec.Meta(**said)]


def _meta(marks: Iterable[Any]) -> dict[str, Any]:
    """What pydantic was told about a text or a number, in msgspec's words.

    Raises:
        TypeError: it was told something else.
    """
    said: dict[str, Any] = {}
    for mark in marks:
        if isinstance(mark, FieldInfo):
            said |= _meta(mark.metadata)
        elif isinstance(mark, StringConstraints):
            lengths = {"min_length": mark.min_length, "max_length": mark.max_length}
            said |= {name: value for name, value in lengths.items() if value is not None}
            if mark.pattern is not None:
                said["pattern"] = _to_the_end(str(mark.pattern))
        elif type(mark) in _BOUNDS:
            name = type(mark).__name__.lower()
            said[name] = getattr(mark, name)
        else:
            raise TypeError(f"a shape cannot hold {mark!r}")
    return said


def _to_the_end(pattern: str) -> str:
    """Python's `$` lets a last newline through, pydantic's does not."""
    return pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern
