"""The lock file (`uv.lock`) as facts: packages and versions, their distributions' digests, and who needs whom."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited

_LIMIT = 32 << 20
_SHA256 = re.compile(r"^sha256:([0-9a-f]{64})$")
_SHIPPED_EXTRAS = ("serving",)
"""Extras of the root package that run with the device; its other extras only serve to build it."""


class Use(StrEnum):
    """What a package is there for, strongest reason first."""

    RUNTIME = "runtime"
    """The device runs with it."""
    BUILD = "build"
    """Training, evaluation and release need it; the running device does not."""
    DEVELOPMENT = "development"
    """Only tests and tools need it."""


@dataclass(frozen=True)
class Distribution:
    """One file that can be installed: its URL (empty for a local one) and its SHA-256 in hexadecimal."""

    url: str
    sha256: str


@dataclass(frozen=True)
class LockedPackage:
    """One third-party package of the lock file; names are normalised (PEP 503)."""

    name: str
    version: str
    distributions: tuple[Distribution, ...]
    dependencies: tuple[str, ...]
    direct: bool
    required_by: tuple[str, ...]
    use: Use

    @property
    def purl(self) -> str:
        """The package URL (purl-spec, type `pypi`)."""
        return f"pkg:pypi/{self.name}@{self.version}"


@dataclass(frozen=True)
class Lock:
    """The root package and everything it can pull in, in order of name."""

    root: str
    root_version: str
    direct: tuple[str, ...]
    packages: tuple[LockedPackage, ...]


def read_lock(path: Path) -> Lock:
    """Read a `uv.lock`.

    Raises:
        InputError: no such file, no TOML, no root package (one that is `editable` or `virtual`), or a distribution
            without a SHA-256.
    """
    try:
        document = tomllib.loads(read_limited(path, limit=_LIMIT).decode("utf-8"))
        tables: list[dict[str, Any]] = document["package"]
        roots = [table for table in tables if {"editable", "virtual"} & set(table["source"])]
        if len(roots) != 1:
            raise InputError(f"{len(roots)} root packages where one is expected", path=path, hint="run `uv lock`")
        return _facts(roots[0], [table for table in tables if table is not roots[0]])
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"not a uv lock file: {error}", path=path, hint="run `uv lock` to write it anew") from error


@dataclass(frozen=True)
class LockedSource:
    """One version of a package in the lock file, and where it comes from."""

    version: str
    """Empty for a package from a folder whose version is not fixed."""
    kind: str
    """`registry`, `git`, `url`, `path` (an archive), `directory`, `editable` or `virtual`."""
    place: str
    """The URL or path; that of `git` without the commit."""
    commit: str
    """Of `git`; else empty."""
    sha256: tuple[str, ...]
    """SHA-256 of its archives in hexadecimal, as far as the lock file states them."""


def read_sources(path: Path) -> dict[str, tuple[LockedSource, ...]]:
    """Every package of a `uv.lock` by its normalised name, in each version that is locked.

    Raises:
        InputError: no such file, or no lock file of uv.
    """
    found: dict[str, list[LockedSource]] = {}
    try:
        for table in _tables(path):
            kind, place = next(iter(table["source"].items()))
            place, _, fragment = str(place).partition("#")
            found.setdefault(str(table["name"]), []).append(
                LockedSource(
                    version=str(table.get("version", "")),
                    kind=kind,
                    place=place,
                    commit=fragment if kind == "git" else "",
                    sha256=tuple(
                        match.group(1)
                        for file in _files(table)
                        if (match := _SHA256.match(str(file.get("hash", "")))) is not None
                    ),
                )
            )
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, StopIteration) as error:
        raise InputError(f"not a uv lock file: {error}", path=path, hint="run `uv lock` to write it anew") from error
    return {name: tuple(versions) for name, versions in found.items()}


def _tables(path: Path) -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = tomllib.loads(read_limited(path, limit=_LIMIT).decode("utf-8")).get("package", [])
    return tables


def _files(table: dict[str, Any]) -> list[dict[str, Any]]:
    return [*table.get("wheels", []), *([table["sdist"]] if "sdist" in table else [])]


def _facts(root: dict[str, Any], tables: list[dict[str, Any]]) -> Lock:
    """Resolve edges (extras included), then walk them from the root for each use in turn."""
    by_name = {str(table["name"]): table for table in tables}
    root_name = str(root["name"])
    extras: dict[str, list[dict[str, Any]]] = root.get("optional-dependencies", {})
    runtime = [*root.get("dependencies", []), *(d for extra in _SHIPPED_EXTRAS for d in extras.get(extra, []))]
    build = [dependency for group in extras.values() for dependency in group]
    development = [
        dependency
        for group in root.get("dev-dependencies", {}).values()
        for dependency in group
        if dependency["name"] != root_name
    ]
    edges: dict[str, set[str]] = {name: set() for name in by_name}
    uses: dict[str, Use] = {}
    for use, starts in ((Use.RUNTIME, runtime), (Use.BUILD, build), (Use.DEVELOPMENT, development)):
        for name in _walk(starts, by_name, edges):
            uses.setdefault(name, use)
    direct = {dependency["name"] for dependency in (*runtime, *build, *development)}
    required_by: dict[str, set[str]] = {name: set() for name in by_name}
    for name, targets in edges.items():
        for target in targets:
            required_by[target].add(name)
    packages = tuple(
        LockedPackage(
            name=name,
            version=str(table["version"]),
            distributions=_distributions(table),
            dependencies=tuple(sorted(edges[name])),
            direct=name in direct,
            required_by=tuple(sorted(required_by[name])),
            use=uses.get(name, Use.DEVELOPMENT),
        )
        for name, table in sorted(by_name.items())
    )
    return Lock(root_name, str(root.get("version", "0")), tuple(sorted(direct & set(by_name))), packages)


def _walk(starts: list[dict[str, Any]], by_name: dict[str, dict[str, Any]], edges: dict[str, set[str]]) -> list[str]:
    """Everything reachable from `starts`; adds the edges met on the way."""
    waiting = [(d["name"], extra) for d in starts for extra in ("", *d.get("extra", ()))]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in by_name:
            continue
        seen.add((name, extra))
        table = by_name[name]
        needed = table.get("optional-dependencies", {}).get(extra, []) if extra else table.get("dependencies", [])
        for dependency in needed:
            if dependency["name"] in by_name and dependency["name"] != name:
                edges[name].add(dependency["name"])
            waiting.extend((dependency["name"], wanted) for wanted in ("", *dependency.get("extra", ())))
    return sorted({name for name, _ in seen})


def _distributions(table: dict[str, Any]) -> tuple[Distribution, ...]:
    found = []
    for file in _files(table):
        match = _SHA256.match(str(file.get("hash", "")))
        if match is None:
            raise ValueError(f"{table['name']} {table['version']} has a distribution without a SHA-256")
        found.append(Distribution(str(file.get("url", "")), match.group(1)))
    if not found:
        raise ValueError(f"{table['name']} {table['version']} has no distribution with a digest")
    return tuple(sorted(found, key=lambda item: (item.url, item.sha256)))
