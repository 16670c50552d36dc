"""What a project accepts in the components of its device: licences and vulnerabilities (`release/components.yaml`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.item_parts import Day

PERMISSIVE = (
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "HPND",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Zlib",
    "blessing",
)
"""Licences that allow the use in a product under other terms."""


class LicenceReading(Record):
    """Which licence a package has whose metadata name none of the SPDX list."""

    package: ShortText
    stated: str = ""
    """What its metadata state; the reading counts for this text alone."""
    licence: ShortText
    """The SPDX expression."""
    source: ShortText
    """The file or address where it was read."""


class AcceptedLicence(Record):
    """A licence that is accepted for one package."""

    package: ShortText
    licence: ShortText
    reason: Statement
    by: Slug
    day: Day


class ComponentPolicy(Record):
    """What is accepted. Without the file, the defaults hold."""

    allowed: Annotated[tuple[ShortText, ...], Field(min_length=1)] = PERMISSIVE
    """Licences by their SPDX names; with an exception as `A WITH B`."""
    readings: tuple[LicenceReading, ...] = ()
    accepted: tuple[AcceptedLicence, ...] = ()
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    """The lowest severity with which an open vulnerability stops a release."""
    snapshot_days: Annotated[int, Field(ge=1)] = 30
    """How old the database of advisories may be at the release, in days."""

    def licence_of(self, package: str, stated: str) -> str:
        """The licence of a package: as its metadata state it, or as it was read; empty where it is not known."""
        readings = (one for one in self.readings if (one.package, one.stated) == (package, stated))
        return next((one.licence for one in readings), stated)
