"""Which locked packages have known vulnerabilities, by a snapshot of the OSV database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

from minivess.compliance.vulnerabilities.cvss import base_score, rating
from minivess.compliance.vulnerabilities.osv import Advisory, Rated, affects, fixed_versions, packages_of, read_snapshot
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import LockedPackage, Use, read_lock
from minivess.foundation.reading.locked_packages import package_name
from minivess.records.components.scan import MALWARE, SCAN_FORMAT, SEVERITIES, Finding, Scan, Severity, Snapshot
from minivess.records.device.preparation import Tool
from minivess.records.items.platform_parts import PlatformPart

_WORDS: dict[str, Severity] = {
    "LOW": "low",
    "MODERATE": "medium",
    "MEDIUM": "medium",
    "HIGH": "high",
    "CRITICAL": "critical",
}
"""What databases write in `database_specific.severity`."""
_SUMMARY = 300
_ID = re.compile(r"[A-Za-z][A-Za-z0-9._:-]{2,79}", re.ASCII)


@implements("REQ-533")
def scan(
    lock: Path,
    snapshot: Path,
    *,
    tool: Tool,
    time: datetime,
    member: str = ".",
    source: str = "",
    parts: Iterable[PlatformPart] = (),
) -> Scan:
    """Look up every package of a lock file, also those that only build and test the device.

    Args:
        lock: as `read_lock` reads it.
        snapshot: as `read_snapshot` reads it.
        tool: what does it.
        time: when it is done.
        member: as in `read_lock`.
        source: where the snapshot is from; by default the name of the file.
        parts: of the platform; the database has no advisories about them.

    Raises:
        InputError: a file is missing or malformed.
    """
    packages = read_lock(lock, member).packages
    covered = [package for package in packages if package.purl.startswith("pkg:pypi/")]
    names = frozenset(package_name(package.name) for package in covered)
    read = read_snapshot(snapshot, names, now=time)
    others = [f"{package.name} {package.shown_version}" for package in packages if package not in covered]
    return Scan(
        format=SCAN_FORMAT,
        tool=tool,
        time=time,
        environment=digest_file(lock),
        snapshot=Snapshot(
            source=source or snapshot.name[:200], digest=read.digest, advisories=read.advisories, newest=read.newest
        ),
        looked_at=len(covered),
        shipped=sum(package.use is Use.RUNTIME for package in covered),
        not_covered=tuple(sorted({*others, *(f"{part.title} {part.version}" for part in parts if part.there)})),
        findings=tuple(
            sorted(
                (finding for package in covered for finding in _findings(package, read.about)),
                key=lambda one: (one.package, one.version, one.id),
            )
        ),
    )


def _findings(package: LockedPackage, advisories: Iterable[Advisory]) -> Iterable[Finding]:
    """The vulnerabilities of a package, one for all advisories that are aliases of each other."""
    name = package_name(package.name)
    try:
        version = Version(Version(package.version).public)
    except InvalidVersion:
        version = None
    hits: list[tuple[Advisory, bool]] = []
    for advisory in advisories:
        if name not in packages_of(advisory):
            continue
        hit, stated = (True, False) if version is None else affects(advisory, name, version)
        if hit:
            hits.append((advisory, stated))
    for group in _groups(hits):
        yield _finding(package, name, group)


def _groups(hits: Sequence[tuple[Advisory, bool]]) -> list[list[tuple[Advisory, bool]]]:
    """Advisories that share an id or an alias, together."""
    groups: list[tuple[set[str], list[tuple[Advisory, bool]]]] = []
    for advisory, stated in hits:
        ids = {advisory.id, *advisory.aliases}
        alike = [group for group in groups if group[0] & ids]
        groups = [group for group in groups if not group[0] & ids]
        merged = [(advisory, stated)]
        for known, members in alike:
            ids |= known
            merged += members
        groups.append((ids, merged))
    return [members for _, members in groups]


def _finding(package: LockedPackage, name: str, group: Sequence[tuple[Advisory, bool]]) -> Finding:
    advisories = sorted((advisory for advisory, _ in group), key=lambda one: one.id)
    ids = sorted({one for advisory in advisories for one in (advisory.id, *advisory.aliases) if _is_id(one)})
    vectors = [row.score for advisory in advisories for row in _ratings(advisory) if row.score.startswith("CVSS:3")]
    scored = sorted(((score, vector) for vector in vectors if (score := base_score(vector)) is not None), reverse=True)
    levels = [rating(score) for score, _ in scored[:1]]
    levels += [_WORDS[word] for advisory in advisories if (word := _word(advisory)) in _WORDS]
    levels += ["critical" for one in ids if one.startswith(MALWARE)]
    text = next((one.summary or one.details for one in advisories if one.summary or one.details), "no summary")
    first = advisories[0].id
    return Finding(
        id=first,
        aliases=tuple(one for one in ids if one != first),
        package=package.name,
        version=package.shown_version,
        ships=package.use is Use.RUNTIME,
        severity=max(levels, key=SEVERITIES.index, default="unknown"),
        score=scored[0][0] if scored else None,
        vector=scored[0][1][:200] if scored else None,
        summary=_printable(" ".join(text.split())[:_SUMMARY]),
        fixed=tuple(dict.fromkeys(one for each in advisories for one in fixed_versions(each, name))),
        stated=any(stated for _, stated in group),
    )


def _ratings(advisory: Advisory) -> Iterable[Rated]:
    yield from advisory.severity or ()
    for part in advisory.affected:
        yield from part.severity or ()


def _word(advisory: Advisory) -> str:
    return str((advisory.database_specific or {}).get("severity", "")).upper()


def _printable(text: str) -> str:
    """Text without characters that steer a terminal or change the direction of writing."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
