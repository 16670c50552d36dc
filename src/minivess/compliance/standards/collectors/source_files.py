"""Texts of a source tree, and what `pyproject.toml` says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from minivess.foundation.files import read_limited

_LIMIT = 4 << 20


def source_text(source: Path, name: str) -> str:
    """A text of the tree; empty when it is not there or is not UTF-8.

    Raises:
        InputError: it is too large.
    """
    path = source / name
    try:
        return read_limited(path, limit=_LIMIT).decode("utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        return ""


def dependencies(source: Path) -> frozenset[str]:
    """Names of the packages the product and its extras depend on directly, from `pyproject.toml`."""
    project = pyproject(source).get("project", {})
    extras = (one for listed in project.get("optional-dependencies", {}).values() for one in listed)
    names = (re.match(r"[A-Za-z0-9._-]+", str(one)) for one in (*project.get("dependencies", []), *extras))
    return frozenset(match[0] for match in names if match) - {project.get("name")}


def pyproject(source: Path) -> dict[str, Any]:
    """`pyproject.toml` of the tree; empty when it is not there or is not TOML."""
    try:
        return tomllib.loads(source_text(source, "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return {}
