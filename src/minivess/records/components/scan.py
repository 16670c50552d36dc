"""The result of looking for known vulnerabilities of locked packages in a database of advisories."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.artifact import Tool
from minivess.records.base import Moment, Record, ShortText
from minivess.records.components.vex import AdvisoryId

SCAN_FORMAT: Literal["minivess-scan/1"] = "minivess-scan/1"
Severity = Literal["none", "low", "medium", "high", "critical", "unknown"]
"""By the score of CVSS; `unknown` counts as the highest."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""In rising order."""
MALWARE = "MAL-"
"""How ids of the OSV database begin that are about malicious packages."""


class Snapshot(Record):
    """A database of advisories as it was at one time."""

    source: ShortText
    """The name of the file, or the address that it was fetched from."""
    digest: Digest
    """Of the file."""
    advisories: Annotated[int, Field(ge=1)]
    """How many it holds."""
    newest: Moment
    """When the newest of them was changed: the database is at least as old as this."""


class Finding(Record):
    """A vulnerability of one version of a package."""

    id: AdvisoryId
    """The id of the first advisory about it, in order of name."""
    aliases: tuple[AdvisoryId, ...]
    """Other ids of the same vulnerability."""
    package: ShortText
    version: ShortText
    ships: bool
    """Whether the package runs with the device."""
    severity: Severity
    score: Annotated[float | None, Field(ge=0, le=10)] = None
    """The CVSS base score, where the advisories have a vector of version 3."""
    vector: ShortText | None = None
    """The vector of this score."""
    summary: str
    fixed: tuple[ShortText, ...] = ()
    """Versions in which it is corrected."""
    stated: bool = True
    """Whether the advisories state versions; without any, each version counts as affected."""

    @property
    def malicious(self) -> bool:
        """Whether the package itself is malware: then it stops a release as a tool too, because it ran with the data."""
        return any(one.startswith(MALWARE) for one in self.ids)

    @property
    def ids(self) -> frozenset[str]:
        """All ids."""
        return frozenset({self.id, *self.aliases})


class Scan(Record):
    """Which locked packages have known vulnerabilities, by one snapshot."""

    format: Literal["minivess-scan/1"]
    tool: Tool
    time: Moment
    """When it was done."""
    environment: Digest
    """Of the lock file."""
    snapshot: Snapshot
    looked_at: int
    """Packages that were looked up."""
    shipped: int
    """How many of them run with the device."""
    not_covered: tuple[ShortText, ...]
    """Components that the database has no advisories about: parts of the platform and packages of no index."""
    findings: tuple[Finding, ...]
    """In order of package, version and id."""
