"""Set single values in a YAML text and leave every other character as it is, comments included.

The text is parsed for the places of its values alone. After the change it is read again: the result must be what was read
before, with the wanted values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.foundation.reading.strict_yaml import YamlMap, parse_yaml

_BYTE_ORDER_MARK = "\ufeff"


@implements("REQ-347")
def set_values(text: str, values: Mapping[str, str], *, shown: str = "text") -> str:
    """The text with other values; fields and sections that are not there are added.

    Args:
        text: one YAML document that is a mapping.
        values: YAML of one line by place. A place is `field`, `section.field`, or deeper.
        shown: how errors call the text.

    Raises:
        InputError: the text is no YAML that this software reads, a section is no mapping, or the change would change more.
    """
    mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
    body = text.removeprefix(mark)
    before = parse_yaml(body, shown=shown)
    if not isinstance(before, YamlMap):
        raise InputError("is no mapping of fields", path=shown, line=1)
    for place, value in values.items():
        body = _set(body, tuple(place.split(".")), value, shown)
    wanted: dict[str, Any] = dict(before)
    for place, value in values.items():
        wanted = _with(wanted, place.split("."), parse_yaml(value, shown=place))
    if parse_yaml(body, shown=shown) != wanted:
        raise InputError(
            f"`{', '.join(values)}` cannot be set without another change", path=shown, hint="set it by hand"
        )
    return mark + body


def _with(fields: Mapping[str, Any], place: Sequence[str], value: object) -> dict[str, Any]:
    """Fields with another value at a place."""
    first, *rest = place
    return {**fields, first: _with(fields.get(first) or {}, rest, value) if rest else value}


def _set(text: str, place: Sequence[str], value: str, shown: str) -> str:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        raise InputError("is empty", path=shown, line=1)
    node: Node = root
    for depth, name in enumerate(place):
        if not isinstance(node, MappingNode):
            if isinstance(node, ScalarNode) and not node.value and depth:
                for inner in reversed(place[depth:]):
                    value = f"{{{inner}: {value}}}"
                return _replaced(text, node, value)
            raise InputError(f"`{'.'.join(place[:depth])}` is no mapping", path=shown, line=node.start_mark.line + 1)
        found = next((one for key, one in node.value if key.value == name), None)
        if found is None:
            for inner in reversed(place[depth + 1 :]):
                value = f"{{{inner}: {value}}}"
            return _added(text, node, name, value)
        node = found
    return _replaced(text, node, value)


def _replaced(text: str, node: Node, value: str) -> str:
    """Another value in place of one; a list of as many plain values keeps what is between them."""
    if isinstance(node, SequenceNode):
        new = yaml.compose(value, Loader=yaml.SafeLoader)
        if isinstance(new, SequenceNode) and len(new.value) == len(node.value):
            pairs = list(zip(node.value, new.value, strict=True))
            if all(isinstance(old, ScalarNode) and isinstance(one, ScalarNode) for old, one in pairs):
                for old, one in reversed(pairs):
                    text = text[: old.start_mark.index] + one.value + text[old.end_mark.index :]
                return text
    start, end = node.start_mark.index, _end(node)
    space = " " if start == end and text[start - 1 : start] == ":" else ""
    return text[:start] + space + value + text[end:]


def _added(text: str, node: MappingNode, name: str, value: str) -> str:
    """A further field after the last one of a mapping."""
    entry = f"{name}: {value}"
    if node.flow_style:
        if not node.value:
            start = node.start_mark.index + 1
            return text[:start] + entry + text[start:]
        end = _end(node.value[-1][1])
        return f"{text[:end]}, {entry}{text[end:]}"
    line = "\r\n" if "\r\n" in text else "\n"
    indent = " " * node.value[0][0].start_mark.column
    end = _end(node)
    if end and text[end - 1] == "\n":  # after a block of text, whose end is the beginning of the next line
        return f"{text[:end]}{indent}{entry}{line}{text[end:]}"
    stop = text.find("\n", end)
    if stop < 0:
        return f"{text}{line}{indent}{entry}{line}"
    return f"{text[: stop + 1]}{indent}{entry}{line}{text[stop + 1 :]}"


def _end(node: Node) -> int:
    """Where the last character of a value is; the parser's mark of a block is only where the next one begins."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)
