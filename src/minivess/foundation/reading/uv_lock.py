"""`uv.lock`: packages from indexes, git, addresses, archives and folders, and the members of a workspace.

Format: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from minivess.foundation.reading.locked_packages import (
    SHA256,
    Distribution,
    Lock,
    LockedPackage,
    LockedSource,
    Use,
    linked,
    package_url,
    told_apart,
    without_credentials,
)
from minivess.foundation.serving_platform import needed_here

_SHIPPED_EXTRAS = ("serving",)
"""Extras of the root package that run with the device; its other extras only serve to build it."""
_KINDS = ("registry", "git", "url", "path", "directory", "editable", "virtual")
_OWN = frozenset({"editable", "virtual"})
"""How uv names the packages of a workspace."""
Table = dict[str, Any]


class _Graph:
    """The packages of a lock file, and which of them a dependency means."""

    def __init__(self, tables: Iterable[Table], root: Table) -> None:
        self.tables: dict[str, Table] = {}
        self.by_name: dict[str, list[str]] = {}
        self.root = root
        listed = [table for table in tables if table is not root]
        self.packages = told_apart(_package(table) for table in listed)
        for package, table in zip(self.packages, listed, strict=True):
            self.tables[package.purl] = table
            self.by_name.setdefault(package.name, []).append(package.purl)

    def meant(self, dependency: Table) -> list[str]:
        """The package URLs of the packages that a dependency can mean; none for the root.

        Raises:
            ValueError: the file has no such package.
        """
        name = str(dependency["name"])
        found = [
            purl
            for purl in self.by_name.get(name, ())
            if all(
                key not in dependency or self.tables[purl].get(key) == dependency[key] for key in ("version", "source")
            )
        ]
        if not found and name != self.root["name"]:
            raise ValueError(f"{name} is needed, and the file has no such package")
        return found

    def wanted(self, dependencies: Iterable[Table], *, here: bool = False) -> list[tuple[str, str]]:
        """The package URLs that dependencies mean, each with every extra that is asked for.

        Args:
            dependencies: of a package.
            here: leaves out what the platform of the service does not need.
        """
        return [
            (purl, extra)
            for one in dependencies
            if not here or needed_here(one.get("marker"))
            for purl in self.meant(one)
            for extra in ("", *one.get("extra", ()))
        ]

    def walk(self, starts: Iterable[tuple[str, str]], edges: dict[str, set[str]], *, here: bool = False) -> set[str]:
        """Everything reachable from `starts`; adds the edges met on the way. `here` as in `wanted`."""
        waiting = list(starts)
        seen: set[tuple[str, str]] = set()
        while waiting:
            purl, extra = waiting.pop()
            if (purl, extra) in seen:
                continue
            seen.add((purl, extra))
            table = self.tables[purl]
            needed = table.get("optional-dependencies", {}).get(extra, []) if extra else table.get("dependencies", [])
            following = self.wanted(needed, here=here)
            edges[purl].update(target for target, _ in following if target != purl)
            waiting += following
        return {purl for purl, _ in seen}


@lru_cache(maxsize=4)
def read_uv_lock(data: bytes, path: Path, member: str) -> Lock:
    """Read a `uv.lock`; the same bytes are read once.

    Args:
        data: the file.
        path: where it is.
        member: the folder of the device's own package, relative to that of the file; `.` for the same folder. Where the
            file has one package of its own alone, it is that one.

    Raises:
        KeyError, TypeError, ValueError: it is no lock file of uv, there is no one package of its own in the folder, a
            package is needed and missing, or an archive of an index has no SHA-256.
    """
    tables: list[Table] = tomllib.loads(data.decode("utf-8"))["package"]
    graph = _Graph(tables, _root(tables, member))
    return _lock(graph, path.name)


def uv_sources(data: bytes, path: Path) -> dict[str, tuple[LockedSource, ...]]:
    """Every package of a `uv.lock` by its name, the root too, in each version that is locked.

    Raises:
        KeyError, TypeError, ValueError: it is no lock file of uv.
    """
    found: dict[str, list[LockedSource]] = {}
    for table in tomllib.loads(data.decode("utf-8")).get("package", []):
        found.setdefault(str(table["name"]), []).append(_source(table))
    return {name: tuple(sources) for name, sources in found.items()}


def _root(tables: list[Table], member: str) -> Table:
    own = [table for table in tables if not _OWN.isdisjoint(table["source"])]
    here = [table for table in own if _place(table) == str(PurePosixPath(member))]
    if len(here) == 1 or len(own) == 1:
        return (here or own)[0]
    names = ", ".join(f"{table['name']} ({_place(table)})" for table in own[:8])
    told = f": {names}; none is in the folder `{member}`" if names else ""
    raise ValueError(f"{len(own)} root packages where one is expected{told}")


def _lock(graph: _Graph, file: str) -> Lock:
    """Resolve edges (extras included), then walk them from the root for each use in turn."""
    root = graph.root
    extras: dict[str, list[Table]] = root.get("optional-dependencies", {})
    runtime = [*root.get("dependencies", []), *(d for extra in _SHIPPED_EXTRAS for d in extras.get(extra, []))]
    build = [*runtime, *(dependency for group in extras.values() for dependency in group)]
    development = [
        dependency
        for group in root.get("dev-dependencies", {}).values()
        for dependency in group
        if dependency["name"] != root["name"]
    ]
    edges: dict[str, set[str]] = {package.purl: set() for package in graph.packages}
    uses: dict[str, Use] = {}
    for use, starts in ((Use.RUNTIME, runtime), (Use.BUILD, build), (Use.DEVELOPMENT, development)):
        here = use is Use.RUNTIME
        for purl in graph.walk(graph.wanted(starts, here=here), edges, here=here):
            uses.setdefault(purl, use)
    graph.walk([(package.purl, "") for package in graph.packages if package.purl not in uses], edges)
    direct = {purl for dependency in (*build, *development) for purl in graph.meant(dependency)}
    packages = linked(graph.packages, edges, direct)
    return Lock(
        root=str(root["name"]),
        root_version=str(root.get("version", "0")),
        direct=tuple(sorted(direct)),
        packages=tuple(replace(one, use=uses.get(one.purl, Use.DEVELOPMENT)) for one in packages),
        file=file,
    )


def _package(table: Table) -> LockedPackage:
    source, name = _source(table), str(table["name"])
    files = _files(table)
    if source.kind == "registry" and (not files or len(source.sha256) < len(files)):
        lack = "a distribution without a SHA-256" if files else "no distribution with a digest"
        raise ValueError(f"{name} {source.version} has {lack}")
    return LockedPackage(
        name=name,
        source=source,
        purl=package_url(name, source),
        distributions=tuple(sorted(_distributions(table), key=lambda one: (one.url, one.sha256))),
    )


def _source(table: Table) -> LockedSource:
    kind = next((kind for kind in _KINDS if kind in table["source"]), None)
    if kind is None:
        raise ValueError(f"{table['name']} has a source of an unknown kind: {', '.join(table['source'])}")
    place, _, fragment = str(table["source"][kind]).partition("#")
    return LockedSource(
        version=str(table.get("version", "")),
        kind=kind,
        place=without_credentials(place.partition("?")[0] if kind == "git" else place),
        commit=fragment if kind == "git" else "",
        sha256=tuple(one.sha256 for one in _distributions(table)),
    )


def _place(table: Table) -> str:
    return str(PurePosixPath(_source(table).place))


def _distributions(table: Table) -> list[Distribution]:
    """The files of a package whose SHA-256 is stated, in their order."""
    return [
        Distribution(without_credentials(str(file.get("url", ""))), match.group(1))
        for file in _files(table)
        if (match := SHA256.fullmatch(str(file.get("hash", "")))) is not None
    ]


def _files(table: Table) -> list[Table]:
    return [*table.get("wheels", []), *([table["sdist"]] if "sdist" in table else [])]
