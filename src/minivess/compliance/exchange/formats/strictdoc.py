"""StrictDoc's `.sdoc`, old and new: `[REQUIREMENT]`, `[SECTION]` … `[/SECTION]`, `[[NODE]]` … `[[/NODE]]`, `[FREETEXT]`.

Read by lines, so that a file with one broken node still gives all others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from minivess.compliance.exchange.foreign_items import Foreign, ForeignLink, Place, Remark, Row, lost, short
from minivess.compliance.exchange.mapping import ForeignMapping
from minivess.compliance.exchange.tables.item_rows import recognise
from minivess.compliance.exchange.untrusted.encodings import decode
from minivess.foundation.errors import InputError

_OPEN = re.compile(r"\[\[?([A-Z][A-Z0-9_]*)\]\]?\s*$")
_CLOSE = re.compile(r"\[+/([A-Z][A-Z0-9_]*)\]+\s*$")
_FIELD = re.compile(r"([A-Z][A-Za-z0-9_-]*):(?:[ \t]+(.*))?$")
_RELATION = re.compile(r"\s*(-?)\s*(TYPE|VALUE|ROLE|FORMAT|LINE_RANGE|HASH|ELEMENT|ID|FUNCTION):[ \t]*(.*)$")
_HEADERS = frozenset({"DOCUMENT", "GRAMMAR", "BIBLIOGRAPHY"})
_RELATIONS = frozenset({"RELATIONS", "REFS"})
_NOT_ITEMS = frozenset({"SECTION", "TEXT", "FREETEXT", "FRAGMENT", "DOCUMENT_FROM_FILE", "FRAGMENT_FROM_FILE"})


@dataclass(slots=True)
class _Node:
    tag: str
    line: int
    container: bool = False
    fields: list[tuple[str, str, int]] = field(default_factory=list)
    relations: list[dict[str, str]] = field(default_factory=list)
    loose: list[tuple[int, str]] = field(default_factory=list)

    def first(self, name: str) -> str:
        return next((value for found, value, _ in self.fields if found == name), "")


def read_strictdoc(data: bytes, file: str, mapping: ForeignMapping) -> Foreign:
    """Read an `.sdoc` file.

    Args:
        data: the file.
        file: how remarks call it.
        mapping: what its node types, fields and relations mean.

    Raises:
        InputError: it holds no node at all.
    """
    foreign = Foreign()
    text = decode(data, file, foreign.remarks)
    rows: list[Row] = []
    sections: list[_Node] = []
    nodes = _nodes(text, file, foreign.remarks)
    if not nodes:
        raise InputError("holds no StrictDoc node", path=file, line=1, hint="an .sdoc file begins with [DOCUMENT]")
    for node in nodes:
        if node.tag.startswith("/"):
            _leave(node, sections, file, foreign.remarks)
            continue
        _tell(node, file, foreign.remarks)
        if node.tag not in _NOT_ITEMS and node.tag not in _HEADERS:
            rows.append(_row(node, [one for one in sections if one.tag == "SECTION"], file, foreign.remarks))
            parent = next((one for one in reversed(sections) if one.tag != "SECTION"), None)
            if parent is not None:
                message = f"is inside {parent.first('UID') or parent.tag}, which is not taken for a link"
                foreign.remarks.append(Remark("note", Place(file, node.line), message, item=node.first("UID")))
        if node.container:
            sections.append(node)
    for node in sections:
        foreign.remarks.append(Remark("note", Place(file, node.line), f"[{node.tag}] is never closed"))
    recognise(rows, mapping, foreign)
    return foreign


def _leave(node: _Node, sections: list[_Node], file: str, remarks: list[Remark]) -> None:
    if sections:
        sections.pop()
    else:
        remarks.append(Remark("note", Place(file, node.line), f"[{node.tag}] closes nothing"))


def _nodes(text: str, file: str, remarks: list[Remark]) -> list[_Node]:
    """Nodes in the order of the file; the end of a container is a node whose tag begins with a slash."""
    lines = text.split("\n")
    nodes: list[_Node] = []
    at = 0
    while at < len(lines):
        line, number = lines[at], at + 1
        at += 1
        opened, closed = _OPEN.match(line), _CLOSE.match(line)
        if opened and opened.group(1) == "FREETEXT":
            at = _free_text(lines, at, nodes, number)
        elif opened:
            tag = opened.group(1)
            container = line.startswith("[[") or tag == "SECTION" or tag.startswith("COMPOSITE_")
            nodes.append(_Node(tag.removeprefix("COMPOSITE_"), number, container))
        elif closed:
            nodes.append(_Node(f"/{closed.group(1)}", number))
        elif not line.strip():
            continue
        elif not nodes or nodes[-1].tag.startswith("/"):
            value = line.strip()
            remarks.append(Remark("lost", Place(file, number), f"text outside any node: {short(value)}", value=value))
        else:
            at = _field(lines, at, nodes[-1])
    return nodes


def _free_text(lines: list[str], at: int, nodes: list[_Node], number: int) -> int:
    """Keep a block of free text; the line after it."""
    body: list[str] = []
    while at < len(lines) and lines[at].strip() != "[/FREETEXT]":
        body.append(lines[at])
        at += 1
    nodes.append(_Node("FREETEXT", number, fields=[("STATEMENT", "\n".join(body), number)]))
    return at + 1


def _field(lines: list[str], at: int, node: _Node) -> int:
    """Read the field that stands on the line before `at`; the first line after it."""
    line = lines[at - 1]
    found = _FIELD.match(line)
    if node.tag in _HEADERS or found is None:
        node.loose.append((at, line))
        return at
    name, value = found.group(1), found.group(2) or ""
    if name in _RELATIONS and not value:
        return _read_relations(lines, at, node)
    if not value.startswith(">>>"):
        node.fields.append((name, value, at))
        return at
    begun, body = at, [value[3:].lstrip()] if value[3:].strip() else []
    while at < len(lines) and not lines[at].startswith("<<<"):
        body.append(lines[at])
        at += 1
    if at >= len(lines):
        node.loose.append((begun, "<<< is missing"))
    node.fields.append((name, "\n".join(body), begun))
    return at + 1


def _read_relations(lines: list[str], at: int, node: _Node) -> int:
    while at < len(lines):
        found = _RELATION.match(lines[at])
        if found is None:
            break
        if found.group(1) or not node.relations:
            node.relations.append({"line": str(at + 1)})
        node.relations[-1][found.group(2)] = found.group(3).strip()
        at += 1
    return at


def _tell(node: _Node, file: str, remarks: list[Remark]) -> None:
    """Remarks on what of a node is never taken."""
    place = Place(file, node.line, node.first("UID") or node.tag)
    if node.tag in _HEADERS and node.loose:
        value = "\n".join(line.strip() for _, line in node.loose)
        message = f"[{node.tag}] is about the document and is not taken: {short(value)}"
        remarks.append(Remark("note", place, message, value=value))
    else:
        for number, line in node.loose:
            message = f"a line of [{node.tag}] is not taken: {short(line.strip())}"
            remarks.append(Remark("lost", Place(file, number, node.tag), message, value=line.strip()))
    if node.tag in _NOT_ITEMS:
        for name, value, number in node.fields:
            why = (
                "of a section is no item and is not taken"
                if node.tag == "SECTION"
                else "of text between nodes is not taken"
            )
            remarks.append(lost(Place(file, number, node.tag), name, value, why))
        for relation in node.relations:
            remarks.append(lost(place, "RELATIONS", str(relation), f"of [{node.tag}] is not taken"))


def _row(node: _Node, sections: list[_Node], file: str, remarks: list[Remark]) -> Row:
    place = Place(file, node.line, node.first("UID") or node.tag)
    cells: dict[str, str] = {}
    for name, value, _ in node.fields:
        if name in cells:
            message = f"`{name}` is there several times; its texts are taken one below the other"
            remarks.append(Remark("changed", place, message, item=node.first("UID"), field=name, value=value))
        cells[name] = f"{cells[name]}\n\n{value}" if name in cells else value
    if sections:
        cells["SECTION"] = " / ".join(section.first("TITLE") or section.first("UID") for section in sections)
    links: list[ForeignLink] = []
    for relation in node.relations:
        kind, role = relation.get("TYPE", "Parent"), relation.get("ROLE", "")
        target = relation.get("VALUE", "")
        others = {name: value for name, value in relation.items() if name not in {"TYPE", "ROLE", "VALUE", "line"}}
        here = Place(file, int(relation["line"]), place.within)
        if kind in {"Parent", "Child"} and target:
            links.append(ForeignLink(role or kind if kind == "Parent" else "Child", target))
            if kind == "Child" and role:
                others["ROLE"] = role
        else:
            message = f"the relation to a {kind.lower()} is not taken: {short(target)}"
            remarks.append(Remark("lost", here, message, item=node.first("UID"), field="RELATIONS", value=target))
        for name, value in others.items():
            remarks.append(lost(here, name, value, "of a relation is not taken", item=node.first("UID")))
    return Row(cells, place, kind=node.tag, links=tuple(links))
