"""The templates of the site: escaping everything, strict about names, with the filters they may use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from minivess.compliance.site.view import TraceView, entry_address
from minivess.foundation.implements import implements

_FOLDER = Path(__file__).parent / "templates"
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}):[0-9]{2}(?:\.[0-9]+)?Z", re.ASCII)


MENU = (
    ("index.html", "Matrix"),
    ("overview.html", "Overview"),
    ("items.html", "Items"),
    ("risks.html", "Risks"),
    ("standards.html", "Standards"),
    ("points.html", "Open points"),
    ("results.html", "Results"),
    ("signatures.html", "Signatures"),
    ("entries.html", "Log"),
)
"""The pages that every page of a site leads to, in order, with the words of the link."""


def template(name: str) -> Template:
    """One template, by its name without `.html.j2`."""
    return _environment().get_template(f"{name}.html.j2")


def asset(name: str) -> bytes:
    """A style sheet or script, as it is copied into the site."""
    return (_FOLDER / name).read_bytes()


@implements("REQ-516")
def running_heads(left: str, right: str) -> Markup:
    """The rule of CSS that prints two texts at the head of each page; strings are escaped (CSS Syntax 3, 4.3.7)."""
    shown = (
        "".join(one if one.isascii() and one.isalnum() else f"\\{ord(one):06x}" for one in text)
        for text in (left, right)
    )
    boxes = zip(("@top-left", "@top-right"), shown, strict=True)
    rules = " ".join(f'{box} {{ content: "{text}"; font: 8pt sans-serif; }}' for box, text in boxes)
    return Markup(f"@page {{ {rules} }}\n")  # noqa: S704  letters, digits and escapes alone


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    filters = (anchor, commands, entry_address, grouped, moment, plural, seconds, short, step, words)
    environment.filters.update({function.__name__: function for function in filters})
    environment.filters["hash"] = hash_part
    environment.filters["address"] = address
    return environment


def anchor(text: str) -> str:
    """A text as part of an id: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "other"


def commands(text: str) -> Markup:
    """A text with what is in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  the text is escaped


def hash_part(text: str) -> str:
    """A text as a value in the part of an address after `#`."""
    return quote(text, safe="", errors="replace")


def address(path: str) -> str:
    """A path with slashes as part of an address."""
    return quote(path, errors="replace")


def grouped(number: int) -> str:
    """A count with its thousands apart, by a space that does not break."""
    return f"{number:,}".replace(",", "\u202f")


def moment(value: str | None) -> str:
    """A moment to the minute, as it is written where it is no moment in UTC."""
    found = _MOMENT.fullmatch(value or "")
    return f"{found[1]} {found[2]} UTC" if found else value or "no date"


def plural(count: int, word: str, several: str = "") -> str:
    """A count with its noun."""
    return f"{grouped(count)} {word if count == 1 else several or word + 's'}"


def seconds(value: float | None) -> str:
    """A duration; nothing where none was measured."""
    return "" if value is None else f"{value:.2f} s"


def short(value: str | None) -> str:
    """The first twelve digits of a digest or commit, to be recognised by."""
    return (value or "unknown").removeprefix("sha256:")[:12]


def step(number: int, scale: Sequence[str]) -> str:
    """A step of a scale with its word, where the scale has one for it."""
    return f"{number} {scale[number - 1]}" if 0 < number <= len(scale) else str(number)


def words(name: str) -> str:
    """A name with dashes as words."""
    return name.replace("-", " ").replace("_", " ")


def project_title(view: TraceView) -> str:
    """Name and version of the project."""
    project = view.trace.project
    return f"{project.name} {project.version or ''}".strip()


def common(view: TraceView, root: str) -> dict[str, Any]:
    """What every page may name.

    Args:
        view: the trace.
        root: the way from the page's folder to the top of the site.
    """
    trace = view.trace
    project = trace.project
    return {
        "project": project_title(view),
        "project_name": project.name,
        "version": project.version,
        "commit": project.commit,
        "tree": project.tree,
        "time": project.time,
        "root": root,
        "here": "",
        "log": trace.log,
        "listed": frozenset(one.entry for one in trace.entries),
        "pack": view.pack,
        "menu": MENU,
    }
