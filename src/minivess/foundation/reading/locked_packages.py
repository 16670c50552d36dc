"""The packages that a lock file or a bill of materials names: what every reader of one gives."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import quote, urlsplit, urlunsplit

SHA256 = re.compile(r"sha256:([0-9a-f]{64})", re.ASCII)
PYPI = "https://pypi.org/simple"
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
"""A whole commit of git, in SHA-1 or SHA-256."""


class Use(StrEnum):
    """What a package is there for, strongest reason first."""

    RUNTIME = "runtime"
    """The device runs with it on its platform (`foundation.serving_platform`)."""
    BUILD = "build"
    """Training, evaluation and release need it, or the device on another platform; the running device does not."""
    DEVELOPMENT = "development"
    """Only tests and tools need it."""


@dataclass(frozen=True)
class Distribution:
    """One file that can be installed: its URL (empty for a local one) and its SHA-256 in hexadecimal."""

    url: str
    sha256: str


@dataclass(frozen=True)
class LockedSource:
    """One version of a package, and where it comes from."""

    version: str
    """Empty for a package from a folder whose version is not fixed."""
    kind: str
    """`registry`, `git`, `url`, `path` (an archive), `directory`, `editable` or `virtual`."""
    place: str
    """The URL or path, without credentials; that of `git` without the commit."""
    commit: str
    """Of `git`; else empty."""
    sha256: tuple[str, ...]
    """SHA-256 of its archives in hexadecimal, as far as they are stated."""

    @property
    def fixed_by(self) -> str:
        """What fixes its content, in words."""
        if self.kind == "git":
            return f"commit {self.commit}" if COMMIT.fullmatch(self.commit) else "no commit and no digest"
        if self.sha256:
            return "SHA-256"
        if self.kind in {"directory", "editable", "virtual"}:
            outside = self.place.startswith(("..", "/")) or ":" in self.place
            return "no digest: a folder outside the source tree" if outside else "the source tree"
        return f"no digest: its {'version' if self.kind == 'registry' else 'address'} alone"


@dataclass(frozen=True)
class LockedPackage:
    """One package that is not the device's own. Names of Python packages are normalised (PEP 503)."""

    name: str
    source: LockedSource
    purl: str
    """The package URL (purl-spec). Each package of a lock has another one."""
    distributions: tuple[Distribution, ...] = ()
    dependencies: tuple[str, ...] = ()
    """The package URLs of what it needs."""
    direct: bool = True
    """Whether the device itself names it."""
    required_by: tuple[str, ...] = ()
    """The names of the packages that need it."""
    use: Use = Use.RUNTIME
    supplier: str = ""
    """As the lock or bill of materials states it; else empty."""
    licence: str = ""
    """As the lock or bill of materials states it; else empty."""

    @property
    def version(self) -> str:
        """Its version; empty where it is not fixed."""
        return self.source.version

    @property
    def shown_version(self) -> str:
        """The version, or what identifies it instead."""
        return self.version or self.source.commit or "not fixed"


@dataclass(frozen=True)
class Lock:
    """The root package and everything it can pull in, in order of name and version."""

    root: str
    root_version: str
    direct: tuple[str, ...]
    """The package URLs of what the root itself names."""
    packages: tuple[LockedPackage, ...]
    file: str
    """The name of the file that was read."""
    complete: bool = True
    """Whether the file states which package needs which."""

    def versions(self) -> dict[str, str]:
        """The versions by name; several of one name with a comma between."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for package in self.packages:
            found[package.name].append(package.shown_version)
        return {name: ", ".join(versions) for name, versions in found.items()}

    def sources(self) -> dict[str, tuple[LockedSource, ...]]:
        """Where each Python package and the root come from, by name."""
        found: defaultdict[str, list[LockedSource]] = defaultdict(list)
        found[package_name(self.root)].append(LockedSource("", "editable", ".", "", ()))
        for package in self.packages:
            if package.purl.startswith("pkg:pypi/") or package.source.kind != "registry":
                found[package.name].append(package.source)
        return {name: tuple(sources) for name, sources in found.items()}


def package_name(name: str) -> str:
    """The normal form of a Python package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def without_credentials(url: str) -> str:
    """A URL without user and password; the user of an SSH address is no secret and stays."""
    try:
        parts = urlsplit(url)
        if "@" not in parts.netloc:
            return url
        user, _, host = parts.netloc.rpartition("@")
        keep = parts.scheme.endswith("ssh") and ":" not in user
        return urlunsplit(parts._replace(netloc=f"{user}@{host}" if keep else host))
    except ValueError:
        return url.rpartition("@")[2]


def package_url(name: str, source: LockedSource) -> str:
    """The package URL of a Python package (purl-spec): of type `pypi` from an index, a repository or an address.

    An archive or a folder is of type `generic`, because no index answers for its name.
    """
    version = f"@{quote(source.version, safe='.-_~!')}" if source.version else ""
    if source.kind == "git":
        return f"pkg:pypi/{name}{version}?vcs_url={quote(f'git+{source.place}@{source.commit}', safe='/:.-_~')}"
    if source.kind == "url":
        return f"pkg:pypi/{name}{version}?download_url={quote(source.place, safe='/:.-_~')}"
    return f"pkg:{'pypi' if source.kind == 'registry' else 'generic'}/{name}{version}"


def told_apart(packages: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Packages with package URLs of their own: one version from two indexes names its index.

    Raises:
        ValueError: a package is there twice; names it.
    """
    listed = tuple(packages)
    alike = Counter(package.purl for package in listed)
    found = tuple(
        replace(package, purl=f"{package.purl}?repository_url={quote(package.source.place, safe='/:.-_~')}")
        if alike[package.purl] > 1 and package.source.place
        else package
        for package in listed
    )
    again = Counter(package.purl for package in found)
    twice = next((package for package in found if again[package.purl] > 1), None)
    if twice is not None:
        raise ValueError(f"{twice.name} {twice.shown_version} is there twice")
    return found


def linked(
    packages: Iterable[LockedPackage], edges: Mapping[str, Iterable[str]], direct: Iterable[str]
) -> tuple[LockedPackage, ...]:
    """Packages with what they need and what needs them, in order of name and version.

    Args:
        packages: each with its own package URL.
        edges: by package URL, the package URLs of what it needs.
        direct: the package URLs of what the root names.
    """
    listed, named = {package.purl: package for package in packages}, frozenset(direct)
    required: defaultdict[str, set[str]] = defaultdict(set)
    for purl, targets in edges.items():
        for target in targets:
            required[target].add(listed[purl].name)
    return tuple(
        replace(
            package,
            dependencies=tuple(sorted(set(edges.get(package.purl, ())))),
            direct=package.purl in named,
            required_by=tuple(sorted(required[package.purl])),
        )
        for package in sorted(listed.values(), key=lambda one: (one.name, one.version, one.purl))
    )
