"""Advisories in the OSV format (https://ossf.github.io/osv-schema/), from a zip of them or from JSON. The file is not trusted.

What is read of an advisory: its ids, when it was changed, which versions of which packages of PyPI it affects, and severity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from minivess.foundation.digests import Digest, digest_bytes
from minivess.foundation.errors import InputError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import first_error
from minivess.foundation.reading.locked_packages import package_name
from minivess.foundation.reading.zip_guard import Most, each_file

ECOSYSTEM = "PyPI"
LIMIT = 512 << 20
"""Bytes of a snapshot."""
MOST = Most(entries=400_000, unpacked=4 << 30, entry=8 << 20)
"""What a zip of advisories may hold."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]{0,99}", re.ASCII)
_HINT = "give a snapshot of the OSV database: a zip of advisories in JSON, or a JSON list of them"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Event(_Part):
    """Where a range of affected versions begins or ends; one of the fields is there."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None


class Range(_Part):
    """A range of versions."""

    type: str
    events: tuple[Event, ...] = Field(max_length=100_000)


class Package(_Part):
    """A package of an ecosystem."""

    ecosystem: str
    name: str


class Rated(_Part):
    """A rating: a vector of CVSS, by its version."""

    type: str
    score: str


class Affected(_Part):
    """Versions of one package that are affected."""

    package: Package | None = None
    versions: tuple[str, ...] = Field(default=(), max_length=200_000)
    ranges: tuple[Range, ...] = Field(default=(), max_length=10_000)
    severity: tuple[Rated, ...] | None = None


class Advisory(_Part):
    """One advisory."""

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9._:-]{2,79}$")
    modified: AwareDatetime
    withdrawn: AwareDatetime | None = None
    aliases: tuple[str, ...] = Field(default=(), max_length=1_000)
    summary: str = ""
    details: str = ""
    affected: tuple[Affected, ...] = Field(default=(), max_length=10_000)
    severity: tuple[Rated, ...] | None = None
    database_specific: dict[str, Any] | None = None


@dataclass(frozen=True)
class ReadSnapshot:
    """The advisories of a snapshot that are about some packages."""

    digest: Digest
    advisories: int
    """How many the snapshot holds, whatever they are about."""
    newest: datetime
    about: tuple[Advisory, ...]
    """In order of their id; without those that were withdrawn."""


@implements("REQ-533")
def read_snapshot(path: Path, packages: frozenset[str], *, now: datetime) -> ReadSnapshot:
    """Read the advisories about some packages of PyPI.

    Args:
        path: a zip of JSON files with an advisory each, or a JSON file with one or a list of them.
        packages: their names, normalised (PEP 503).
        now: an advisory that states a later time says nothing about the age of the snapshot.

    Raises:
        InputError: the file is missing, too large, damaged, or holds no advisory of a time up to now, or one that is
            malformed; names it.
    """
    data = read_limited(path, limit=LIMIT)
    count, newest, about = 0, None, []
    for advisory in _advisories(data, path.name):
        count += 1
        if advisory.modified <= now:
            newest = advisory.modified if newest is None else max(newest, advisory.modified)
        if advisory.withdrawn is None and packages_of(advisory) & packages:
            about.append(advisory)
    if newest is None:
        raise InputError("holds no advisory of a time up to now", path=path.name, hint=_HINT)
    return ReadSnapshot(digest_bytes(data), count, newest, tuple(sorted(about, key=lambda one: one.id)))


@implements("REQ-533", "RC-220")
def affects(advisory: Advisory, package: str, version: Version) -> tuple[bool, bool]:
    """Whether a version of a package is affected, and whether the advisory states versions of the package.

    An advisory that names the package and no version that can be compared affects each version.
    """
    parts = _parts_about(advisory, package)
    ranges = [one for part in parts for one in part.ranges if one.type in {"ECOSYSTEM", "SEMVER"} and one.events]
    versions = [one for part in parts for one in part.versions]
    stated = bool(versions or ranges)
    hit = any(_same(one, version) for one in versions) or any(_inside(one, version) for one in ranges)
    return (hit or counts_for_each(bool(parts), stated)), stated


@implements("REQ-533", "RC-220")
def counts_for_each(named: bool, stated: bool) -> bool:
    """Whether an advisory affects each version of a package: it names the package, and no version that can be compared."""
    return named and not stated


def fixed_versions(advisory: Advisory, package: str) -> list[str]:
    """The versions of a package in which it is corrected; what is no version is left out."""
    ranges = (one for part in _parts_about(advisory, package) for one in part.ranges if one.type == "ECOSYSTEM")
    stated = [event.fixed for one in ranges for event in one.events if event.fixed is not None]
    return [one for one in stated if _VERSION.fullmatch(one)]


def packages_of(advisory: Advisory) -> frozenset[str]:
    """The normalised names of the packages of PyPI that an advisory is about."""
    named = (one.package for one in advisory.affected)
    return frozenset(package_name(one.name) for one in named if one is not None and _of_pypi(one))


def _parts_about(advisory: Advisory, package: str) -> list[Affected]:
    return [
        part
        for part in advisory.affected
        if part.package is not None and _of_pypi(part.package) and package_name(part.package.name) == package
    ]


def _of_pypi(package: Package) -> bool:
    return package.ecosystem.partition(":")[0] == ECOSYSTEM


def _same(stated: str, version: Version) -> bool:
    try:
        return Version(stated) == version
    except InvalidVersion:
        return stated == str(version)


def _inside(stated: Range, version: Version) -> bool:
    """Whether a version is inside a range, by the evaluation of the OSV schema. What cannot be compared counts as inside."""
    points: list[tuple[Version, int, bool]] = []
    for event in stated.events:
        try:
            if event.introduced is not None:
                points.append((Version("0.dev0" if event.introduced == "0" else event.introduced), 1, True))
            elif event.fixed is not None:
                points.append((Version(event.fixed), 0, False))
            elif event.last_affected is not None:
                points.append((Version(event.last_affected), 2, False))
        except InvalidVersion:
            return True
    inside = False
    for place, order, begins in sorted(points, key=lambda point: (point[0], point[1])):
        if place < version or (place == version and order < 2):
            inside = begins
    return inside


def _advisories(data: bytes, file: str) -> Iterator[Advisory]:
    """The advisories of a file, each judged as it is read."""
    if data[:4] == b"PK\x03\x04":
        for name, content in each_file(data, file, most=MOST):
            if name.endswith(".json"):
                yield _advisory(content, f"{file}: {name[:80]}")
        return
    if data.lstrip()[:1] == b"[":
        yield from _judged(TypeAdapter(tuple[Advisory, ...]), data, file)
        return
    yield _advisory(data, file)


def _advisory(data: bytes, where: str) -> Advisory:
    return next(iter(_judged(TypeAdapter(Advisory), data, where)))


def _judged(kind: TypeAdapter[Any], data: bytes, where: str) -> Iterable[Advisory]:
    try:
        found = kind.validate_json(data)
    except ValidationError as error:
        raise InputError(f"is no advisory: {first_error(error)}", path=where, hint=_HINT) from None
    return found if isinstance(found, tuple) else (found,)
