"""Reads a site as a browser without a script would: ids, links, text, and whether every element is closed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

FILTERED = {"index.html", "items.html"}
"""Pages whose script filters by the address."""
VOID = {"meta", "link", "br", "img", "input", "hr", "rect", "path", "col"}


@dataclass
class Page(HTMLParser):
    """One page; fails on an element that is not closed and on an id that stands twice."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.source = self.path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == [], self.path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        identifier = found.get("id")
        if identifier is not None:
            assert identifier not in self.ids, f"{identifier} stands twice in {self.path}"
            self.ids.add(identifier)
        for name in ("href", "src"):
            value = found.get(name)
            if value is not None:
                self.links.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} in {self.path}"

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def policy(self) -> str:
        """The content security policy."""
        (found,) = [
            element.get("content") or ""
            for _, element in self.elements
            if element.get("http-equiv") == "Content-Security-Policy"
        ]
        return found


def pages(folder: Path) -> dict[str, Page]:
    """Every page of a site by its name."""
    return {path.relative_to(folder).as_posix(): Page(path) for path in sorted(folder.rglob("*.html"))}


def broken(folder: Path, found: dict[str, Page]) -> list[str]:
    """Links that lead to no file or to no id of it. What stands after `#` on a page with a script are filters."""
    wrong = []
    for name, page in found.items():
        for link in page.links:
            address, _, anchor = link.partition("#")
            target = name if not address else _within(folder, (folder / name).parent / unquote(address))
            there = target is not None and (folder / target).is_file()
            wanted = unquote(anchor) if target not in FILTERED else ""
            if not there or (wanted and wanted not in found[target or ""].ids):
                wrong.append(f"{name}: {link}")
    return wrong


def _within(folder: Path, path: Path) -> str | None:
    resolved = path.resolve()
    return resolved.relative_to(folder.resolve()).as_posix() if resolved.is_relative_to(folder.resolve()) else None


def table_of(site: Path) -> dict[str, Any]:
    """What the page of items of a site searches."""
    return _assigned(site / "data" / "items.js")


def matrix_of(site: Path) -> dict[str, Any]:
    """What the matrix of a site shows."""
    return _assigned(site / "data" / "matrix.js")


def _assigned(script: Path) -> dict[str, Any]:
    text = script.read_text(encoding="utf-8").partition(" = ")[2]
    return json.loads(text.removesuffix(";\n"))


def digests_of(folder: Path) -> dict[str, str]:
    """Every file of a site with its digest."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
