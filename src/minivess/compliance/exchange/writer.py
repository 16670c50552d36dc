"""Items written as our YAML: what is written reads back the same, in the way the project's own files are laid out."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minivess.records.items.kinds import KINDS

_WIDTH = 112
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ODD = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Written:
    """Files by path, and where each item stands in them."""

    files: Mapping[str, str]
    lines: Mapping[str, tuple[str, int]]


def write_items(items: Iterable[tuple[str, str, Mapping[str, Any]]], *, name: str = "imported") -> Written:
    """Write items.

    Args:
        items: the prefix of the kind, the id, and the fields.
        name: of the files, without folder and suffix.
    """
    by_prefix: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for prefix, identifier, fields in items:
        by_prefix.setdefault(prefix, []).append((identifier, fields))
    texts: dict[str, list[str]] = {}
    places: dict[str, tuple[str, int]] = {}
    for kind in KINDS:
        if kind.prefix not in by_prefix:
            continue
        path = f"{kind.folder}/{name}.yaml"
        lines = texts.setdefault(path, [])
        lines += [*([""] if lines else []), f"{kind.list}:"]
        for at, (identifier, fields) in enumerate(by_prefix[kind.prefix]):
            if at:
                lines.append("")
            places[identifier] = (path, len(lines) + 1)
            lines.append(f"  - id: {identifier}")
            for field in sorted(kind.record.model_fields, key=lambda name: name == "origin"):
                if field in fields and field not in {"id", "source"}:
                    lines += _entry(field, fields[field], 4)
    return Written({path: "\n".join(lines) + "\n" for path, lines in texts.items()}, places)


def _entry(name: str, value: Any, indent: int) -> list[str]:
    head = " " * indent + f"{name}:"
    if isinstance(value, str):
        return _text(head, value, indent + 2)
    if isinstance(value, Sequence):
        flow = f"{head} [{', '.join(map(_flow, value))}]"
        if len(flow) <= _WIDTH and all(not isinstance(one, str) or len(one) <= 60 for one in value):
            return [flow]
        lines = [head]
        for one in value:
            lines += [" " * (indent + 2) + f"- {_flow(one)}"]
        return lines
    return [f"{head} {_flow(value)}"]


def _text(head: str, value: str, indent: int) -> list[str]:
    """A text as a plain word, folded or kept as lines, or quoted where nothing else gives it back."""
    if _is_plain(value) and len(head) + 1 + len(value) <= _WIDTH:
        return [f"{head} {value}"]
    block = None if _ODD.search(value) or value != value.strip() or len(value) < 20 else _block(value, " " * indent)
    return [f"{head} {block[0]}", *block[1:]] if block else [f"{head} {_quoted(value)}"]


def _block(value: str, margin: str) -> list[str] | None:
    """A text as a block of lines, kept or folded; None when that would not give it back."""
    if "\n" in value:
        lines = value.split("\n")
        exact = all(line == line.rstrip() for line in lines) and not lines[0].startswith(" ")
        return ["|-", *(f"{margin}{line}" if line else "" for line in lines)] if exact else None
    width = max(40, _WIDTH - len(margin))
    wrapped = textwrap.wrap(value, width, break_long_words=False, break_on_hyphens=False)
    return [">-", *(f"{margin}{line}" for line in wrapped)] if " ".join(wrapped) == value else None


def _is_plain(value: str) -> bool:
    return (
        value[:1].isalpha()
        and value == value.strip()
        and value.lower() not in _WORDS
        and not _ODD.search(value)
        and not any(part in value for part in ("\n", ": ", " #"))
        and not value.endswith(":")
    )


def _flow(value: Any) -> str:
    """A value inside brackets or after a dash."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_flow(one)}' for key, one in value.items() if one is not None)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_flow, value))}]"
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z_][\w.-]*", text, re.ASCII) and text.lower() not in _WORDS else _quoted(text)


def _quoted(text: str) -> str:
    """Double quotes as JSON writes them, which YAML reads the same; what cannot be printed is escaped."""
    shown = json.dumps(text, ensure_ascii=False)
    return _ODD.sub(lambda found: f"\\u{ord(found.group()):04x}", shown)
