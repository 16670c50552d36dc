"""Files that tools and commands write into a source tree, and that therefore are no part of its identity.

Without this, recorded results would change the tree that they are about. Of what git tracks, only evidence is left out. A
release requires that all other files are committed or ignored.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from minivess.foundation.paths import PROJECT_FILE

EVIDENCE = "evidence"
"""The folder in which tests and commands keep what they found."""

_CACHES = frozenset(
    {
        ".hypothesis",
        ".import_linter_cache",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
    }
)
_WRITTEN = frozenset({"data", "keystore", "models", "people", "release"})
"""Folders that commands write beside a project file. An entry of the log binds each file in them."""
_ITEMS = frozenset({"requirements", "features"})
_CODE = frozenset({".feature", ".py", ".pyd", ".pyx", ".so"})


@dataclass(frozen=True)
class Generated:
    """Decides which files of a tree are generated. It does not depend on the folder from which the tree is looked at."""

    projects: tuple[str, ...]
    """Folders with a project file, each empty or with a slash at its end."""
    sources: tuple[str, ...]
    """The top folder, and folders with requirements or features."""
    workspaces: tuple[str, ...]
    """Folders with a project file that git does not track, and without requirements and features."""

    @classmethod
    def of(cls, tracked: Collection[str], others: Collection[str]) -> Self:
        """For the files of a tree.

        Args:
            tracked: those that git tracks, relative to the top folder.
            others: the new ones.
        """
        everything = {*tracked, *others}
        projects = {name.removesuffix(PROJECT_FILE) for name in everything if f"/{name}".endswith(f"/{PROJECT_FILE}")}
        inside = (name.split("/") for name in everything)
        sources = {"/".join([*parts[:at], ""]) for parts in inside for at in range(len(parts)) if parts[at] in _ITEMS}
        new = {one for one in projects - sources if f"{one}{PROJECT_FILE}" in others}
        return cls(tuple(sorted(projects)), tuple(sorted({"", *sources, *projects})), tuple(sorted(new - {""})))

    def is_evidence(self, name: str) -> bool:
        """Whether a file is in a folder for evidence, and no code."""
        inside = f"{EVIDENCE}/" in name and any(name.startswith(f"{one}{EVIDENCE}/") for one in self.sources)
        return inside and PurePosixPath(name).suffix not in _CODE

    def has(self, name: str) -> bool:
        """Whether a new file is generated.

        Args:
            name: relative to the top folder.
        """
        path = PurePosixPath(name)
        if any(part in _CACHES or part.endswith(".egg-info") for part in path.parts[:-1]):
            return True
        if path.name == ".coverage" or path.name.startswith(".coverage."):
            return True
        if path.suffix in _CODE:
            return False
        if self.is_evidence(name):
            return True
        if any(name.startswith(one) for one in self.workspaces):
            return True
        below = [name[len(one) :] for one in self.projects if name.startswith(one)]
        return any("/" in rest and rest.partition("/")[0] in _WRITTEN for rest in below)


def walk(top: Path) -> Iterator[str]:
    """The files of a folder where there is no git to ask, less those that a simple line of `.gitignore` names."""
    ignored = _simple_ignores(top)
    for parent, folders, files in os.walk(top):
        at = Path(parent).relative_to(top).as_posix()
        at = "" if at == "." else f"{at}/"
        folders[:] = [
            name
            for name in folders
            if name not in _CACHES
            and name != ".git"
            and not any(fnmatch.fnmatchcase(one, line) for line in ignored for one in (f"{name}/", f"/{at}{name}/"))
        ]
        yield from (f"{at}{file}" for file in files)


def _simple_ignores(top: Path) -> tuple[str, ...]:
    """Lines of `.gitignore` that name folders, at any place (`name/`) or at one (`/name/`)."""
    try:
        lines = (top / ".gitignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    named = [line.strip() for line in lines if line.strip().endswith("/") and not line.lstrip().startswith(("#", "!"))]
    return tuple(f"/{line}" if "/" in line[:-1] and not line.startswith("/") else line for line in named)
