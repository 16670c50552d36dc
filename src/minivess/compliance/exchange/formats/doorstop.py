"""Items of Doorstop and jamb: one YAML (or Markdown) file an item in folders, or jamb's export in one file.

Values are taken as they are written: `level: 1.10` and `ref: 0012` are texts, which YAML would read as 1.1 and 12. The words
of YAML 1.1, which those tools read, count where a field says yes or no.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from minivess.compliance.exchange.foreign_items import (
    MAX_FILE,
    MAX_ITEMS,
    Foreign,
    ForeignLink,
    Place,
    Remark,
    Row,
    check_count,
    lost,
    short,
)
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.item_rows import recognise
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.reading.strict_yaml import YamlList, YamlMap, as_written, load_yaml, parse_yaml

_SETTINGS = (".doorstop.yml", ".jamb.yml")
_PARENT = "parent"
_HOUSEKEEPING = frozenset({"reviewed"})
"""Digests by which those tools notice changes; ours are made anew."""
_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
_USUAL = {"derived": _FALSE, "normative": _TRUE, "testable": _TRUE, "type": frozenset({"requirement"})}
"""What an ordinary item says of itself."""
_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADING = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")


def is_tree(path: Path) -> bool:
    """Whether a folder holds documents of Doorstop or jamb."""
    return path.is_dir() and any(next(path.rglob(name), None) is not None for name in _SETTINGS)


def read_tree(path: Path, mapping: ForeignMapping) -> Foreign:
    """Read all documents in a folder.

    Args:
        path: a folder that holds `.doorstop.yml` or `.jamb.yml`, or folders that do.
        mapping: what document prefixes, attributes and links mean.

    Raises:
        InputError: there is no such document, or too many items.
    """
    foreign = Foreign()
    folders = {found.parent: found for name in _SETTINGS for found in path.rglob(name)}
    if not folders:
        raise InputError("holds no .doorstop.yml and no .jamb.yml", path=path)
    rows: list[Row] = []
    for setting in sorted(folders.values()):
        prefix = _prefix(setting, path, foreign.remarks)
        for file in sorted(_files(setting.parent, set(folders))):
            check_count(len(rows), str(path))
            rows += _read(file, file.relative_to(path).as_posix(), prefix, foreign.remarks)
    recognise(rows, mapping, foreign)
    return foreign


def read_item_file(path: Path, mapping: ForeignMapping) -> Foreign:
    """Read one item of Doorstop or jamb, or a file `jamb export` wrote.

    Args:
        path: the file.
        mapping: what its attributes and links mean.

    Raises:
        InputError: it is no YAML we read (anchors and tags are refused), or no item.
    """
    foreign = Foreign()
    root = load_yaml(path, shown=path.name, resolve=as_written)
    if isinstance(root, YamlMap) and "items" in root:
        rows = list(_exported(root, path.name, foreign.remarks))
    else:
        rows = _read(path, path.name, "", foreign.remarks)
        if not rows:
            last = foreign.remarks[-1]
            raise InputError(last.message, path=path.name, line=last.place.line)
    recognise(rows, mapping, foreign)
    return foreign


def _files(folder: Path, folders: set[Path]) -> Iterator[Path]:
    """Item files of a document, not those of documents below it."""
    pending, seen = [folder], 0
    while pending:
        for entry in pending.pop().iterdir():
            seen += 1
            if seen > 4 * MAX_ITEMS:
                raise InputError("holds too many files", path=folder)
            if entry.is_symlink():
                continue
            if entry.is_dir() and entry not in folders and not entry.name.startswith("."):
                pending.append(entry)
            elif entry.suffix in {".yml", ".md"} and not entry.name.startswith(".") and entry.is_file():
                yield entry


def _prefix(path: Path, root: Path, remarks: list[Remark]) -> str:
    """The prefix of a document, which says of what kind its items are."""
    shown = path.relative_to(root).as_posix()
    try:
        settings = load_yaml(path, shown=shown, resolve=as_written)
        return str(settings["settings"]["prefix"])
    except (InputError, KeyError, TypeError) as error:
        remarks.append(Remark("note", Place(shown), f"has no prefix of its document: {error}"))
        return ""


def _read(path: Path, shown: str, prefix: str, remarks: list[Remark]) -> list[Row]:
    place = Place(shown, 1)
    try:
        if path.suffix == ".md":
            node, body, title = _front_matter(path, shown)
        else:
            node, body, title = load_yaml(path, shown=shown, resolve=as_written), "", ""
    except InputError as error:
        message = error.message.removeprefix(f"{shown}: ")
        remarks.append(Remark("lost", Place(shown, error.line), f"the file is not taken: {message}", value=shown))
        return []
    if not isinstance(node, YamlMap) or not ({"text", "header", "links", "active"} & set(node) or body):
        remarks.append(Remark("lost", place, "the file is no item and is not taken", value=shown))
        return []
    named = {"text": body, "header": title} if body or title else {}
    here = Place(shown, node.line, path.stem)
    return _row(node, here, prefix or re.split(r"[-_.0-9]", path.stem)[0], named, remarks)


def _front_matter(path: Path, shown: str) -> tuple[Any, str, str]:
    """An item in Markdown: its YAML head, its text, and its title when the text begins with one."""
    data = read_limited(path, limit=MAX_FILE)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", path=shown) from None
    head = _MATTER.match(text)
    if head is None:
        raise InputError("has no YAML head between lines of dashes", path=shown, line=1)
    body = text[head.end() :]
    heading = _HEADING.match(body)
    return (
        parse_yaml(head.group(1), shown=shown, resolve=as_written),
        body[heading.end() :] if heading else body,
        heading.group(1) if heading else "",
    )


def _exported(root: YamlMap, shown: str, remarks: list[Remark]) -> Iterator[Row]:
    prefixes = sorted(_prefixes(root.get("documents")), key=len, reverse=True)
    for name, node in root.items():
        if name not in {"documents", "items"}:
            remarks.append(lost(Place(shown, root.lines[name]), name, str(node), "is not known here"))
    items = root["items"]
    if not isinstance(items, YamlList):
        raise InputError("`items` must be a list", path=shown, line=root.lines["items"])
    for at, (node, line) in enumerate(zip(items, items.lines, strict=True)):
        check_count(at, shown)
        if not isinstance(node, YamlMap):
            remarks.append(lost(Place(shown, line), "items", str(node), "holds something that is no item"))
            continue
        uid = str(node.get("uid") or "")
        prefix = next((one for one in prefixes if uid.startswith(one)), "")
        yield from _row(node, Place(shown, node.line, uid), prefix, {}, remarks)


def _prefixes(documents: Any) -> set[str]:
    entries = documents if isinstance(documents, list) else []
    return {str(entry["prefix"]) for entry in entries if isinstance(entry, dict) and "prefix" in entry}


def _row(node: YamlMap, place: Place, prefix: str, named: Mapping[str, str], remarks: list[Remark]) -> list[Row]:
    """The row of an item, whose id is `place.within`; none for one that is switched off or only a heading."""
    values: dict[str, Any] = {**node, **{name: value for name, value in named.items() if value}}
    uid = place.within
    if _is(values.pop("active", None), _FALSE):
        message = f"the item is not active and is not taken: {short(str(values.get('text') or ''))}"
        remarks.append(Remark("lost", place, message, item=uid, value=str(values)))
        return []
    level = str(values.get("level", ""))
    heading = _is(values.get("normative"), _FALSE) and level.endswith(".0")
    if heading or values.get("type") in {"heading", "info", "information"}:
        message = f"the item is a heading or information, no requirement, and is not taken: {short(str(values))}"
        remarks.append(Remark("lost", place, message, item=uid, value=str(values)))
        return []
    cells = {"uid": uid}
    links: list[ForeignLink] = []
    for name, value in values.items():
        if name == "links":
            links = list(_links(value, place, remarks))
        elif value in (None, "", [], {}) or name == "uid":
            continue
        elif name in _HOUSEKEEPING:
            message = f"`{name}` is that tool's own mark of a review and not taken: {short(str(value))}"
            remarks.append(Remark("note", place, message, item=uid, field=name, value=str(value)))
        elif name in _USUAL and _is(value, _USUAL[name]):
            continue
        else:
            cells[name] = _flat(value)
    return [Row(cells, place, kind=prefix, links=tuple(links))]


def _links(value: Any, place: Place, remarks: list[Remark]) -> Iterator[ForeignLink]:
    for link in value if isinstance(value, list) else [value] if value else []:
        if isinstance(link, dict) and "uid" in link:
            yield ForeignLink(_PARENT, str(link["uid"]))
        elif isinstance(link, dict):
            yield from (ForeignLink(_PARENT, str(target)) for target in link)
        elif isinstance(link, str):
            yield ForeignLink(_PARENT, str(link))
        else:
            remarks.append(lost(place, "links", str(link), "is no link"))


def _is(value: Any, words: frozenset[str]) -> bool:
    return isinstance(value, str) and value.lower() in words


def _flat(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return str(value)
