"""The files of a pack as trees of JSON values, so that one walk finds every place in any of them.

A format reads the bytes of a file into a tree and writes a changed tree back. Pages are cut before each of their elements,
texts into lines, tables into cells; what has no parts is cut into three pieces.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.encoding import from_base64, to_base64

Path = tuple[str | int, ...]

_ELEMENT = re.compile(r"(?=<(?:title|h[1-4]|section|table|tr|ul|ol|li|pre|p|nav|footer|script|style|testcase|svg)\b)")
_LABEL = re.compile(r"[A-Za-z][A-Za-z -]*")
_LINES = (
    (re.compile(r"[A-Za-z0-9+/]{42,43}=*\s*\Z"), "hash"),
    (re.compile(r"[0-9a-f]{128}  "), "digest of a file"),
    (re.compile("\u2014 "), "signature"),
)
"""Lines that are named by what they are, not by their first word."""


@dataclass(frozen=True)
class Format:
    """How one kind of file is read and written, and what a place in it is called."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    name: Callable[[Any, Path], str]


def json_style(content: bytes) -> Callable[[Any], bytes]:
    """The way to write JSON that gives these very bytes; compact where none of the known ways does."""
    value = json.loads(content)
    for write in _STYLES:
        if write(value) == content:
            return write
    return _STYLES[0]


def _written(**how: Any) -> Callable[[Any], bytes]:
    return lambda value: (json.dumps(value, ensure_ascii=False, **how)).encode("utf-8")


def _ended(write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: write(value) + b"\n"


_PLAIN = (_written(separators=(",", ":")), canonical, _written(indent=2), _written(indent=1), _written())
_STYLES = (*_PLAIN, *map(_ended, _PLAIN))


def _read_envelope(content: bytes) -> Any:
    envelope = json.loads(content)
    return {**envelope, "payload": json.loads(from_base64(envelope["payload"]))}


def _write_envelope(tree: Any) -> bytes:
    if "payload" in tree:
        tree = {**tree, "payload": to_base64(canonical(tree["payload"]))}
    return canonical(tree)


def _read_lines_of_json(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def _write_lines_of_json(tree: Any) -> bytes:
    return b"".join(canonical(line) + b"\n" for line in tree)


def _read_table(content: bytes) -> Any:
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    return {"header": header, "rows": [dict(zip(header, row, strict=True)) for row in rows]}


def _write_table(tree: Any) -> bytes:
    out = io.StringIO(newline="")
    rows = [row.values() if isinstance(row, dict) else [row] for row in _items(tree.get("rows", []))]
    csv.writer(out, lineterminator="\n").writerows([_items(tree.get("header", [])), *rows])
    return out.getvalue().encode("utf-8")


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read_page(content: bytes) -> list[str]:
    return _ELEMENT.split(content.decode("utf-8"))


def _read_text(content: bytes) -> list[str]:
    return content.decode("utf-8").splitlines(keepends=True)


def _write_text(tree: Any) -> bytes:
    return "".join(str(part) for part in tree).encode("utf-8")


def _read_bytes(content: bytes) -> list[bytes]:
    third = len(content) // 3
    return [content[:third], content[third : 2 * third], content[2 * third :]]


def _dotted(_tree: Any, path: Path) -> str:
    return ".".join("[]" if isinstance(step, int) else step for step in path)


def _element(tree: Any, path: Path) -> str:
    match = re.match(r"<(\w+)", tree[path[0]])
    return f"<{match[1]}>" if match else "beginning"


def _label(tree: Any, path: Path) -> str:
    line = tree[path[0]]
    name = next((name for pattern, name in _LINES if pattern.match(line)), None)
    match = _LABEL.match(line)
    return name or (f"line {match[0].strip()!r}" if match else "line")


def _piece(_tree: Any, _path: Path) -> str:
    return "piece"


def _read_proof(content: bytes) -> Any:
    lines = _read_text(content)
    at = next((n for n, line in enumerate(lines) if line.startswith("extra ")), None)
    if at is None:
        return {"lines": lines}
    extra = json.loads(from_base64(lines.pop(at).removeprefix("extra ").rstrip("\n")))
    return {"lines": lines, "extra": extra}


def _write_proof(tree: Any) -> bytes:
    lines = [str(line) for line in _items(tree.get("lines", []))]
    extra = [f"extra {to_base64(canonical(tree['extra']))}\n"] if "extra" in tree else []
    return "".join([*lines[:1], *extra, *lines[1:]]).encode("utf-8")


def _proof_label(tree: Any, path: Path) -> str:
    if path[0] == "lines" and len(path) > 1:
        return _label(tree["lines"], path[1:])
    return _dotted(tree, path)


_ALONE: tuple[tuple[str, Format], ...] = (
    (".dsse.json", Format(_read_envelope, _write_envelope, _dotted)),
    (".jsonl", Format(_read_lines_of_json, _write_lines_of_json, _dotted)),
    (".csv", Format(_read_table, _write_table, _dotted)),
    (".tlog-proof", Format(_read_proof, _write_proof, _proof_label)),
    *((ending, Format(_read_page, _write_text, _element)) for ending in (".html", ".xml", ".svg")),
    *((ending, Format(_read_text, _write_text, _label)) for ending in (".txt", ".cosignature")),
)
_PIECES = Format(_read_bytes, b"".join, _piece)


def format_of(name: str, content: bytes) -> Format:
    """The format of a file, by its name."""
    found = next((form for ending, form in _ALONE if name.endswith(ending)), None)
    if found is None and name.endswith(".json"):
        return Format(json.loads, json_style(content), _dotted)
    return found or _PIECES
