"""The SOUP list: software of unknown provenance in the device, by name, version and purpose.

IEC 62304:2006+A1:2015, clauses 5.3.3, 7.1.2 and 8.1.2.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from minivess.compliance.facts.package_metadata import about
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import Lock, LockedPackage, Use, read_lock

COLUMNS = ("name", "version", "use", "purpose", "supplier", "home_page", "licence", "purl")


@dataclass(frozen=True)
class SoupItem:
    """One row of the SOUP list."""

    name: str
    version: str
    use: Use
    purpose: str
    supplier: str
    home_page: str
    licence: str
    purl: str


@implements("REQ-036")
def soup(lock: Path) -> tuple[SoupItem, ...]:
    """The SOUP list of a lock file: what runs with the device and what builds it, in order of name.

    Packages that only tests and tools need are not part of the device and not listed; the SBOM has them, as excluded.

    Raises:
        InputError: the lock file cannot be read.
    """
    return tuple(_row(package, facts) for facts in [read_lock(lock)] for package in facts.packages if _in(package))


def _in(package: LockedPackage) -> bool:
    return package.use is not Use.DEVELOPMENT


def _row(package: LockedPackage, lock: Lock) -> SoupItem:
    known = about(package.name, package.version)
    return SoupItem(
        name=package.name,
        version=package.version,
        use=package.use,
        purpose=_purpose(package, lock.root, known.summary),
        supplier=known.supplier or "not stated by the package",
        home_page=known.home_page,
        licence=known.licence or "not stated by the installed package",
        purl=package.purl,
    )


def _purpose(package: LockedPackage, root: str, summary: str) -> str:
    if package.direct:
        return f"Direct dependency of {root}" + (f": {summary}" if summary else "")
    needed = list(package.required_by)
    named = ", ".join(needed[:4]) + (f" and {len(needed) - 4} more" if len(needed) > 4 else "")
    return f"Required by {named}"


def soup_csv(items: tuple[SoupItem, ...]) -> str:
    """The list as CSV (RFC 4180) with a header row."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        writer.writerow([_plain(str(getattr(item, column))) for column in COLUMNS])
    return stream.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from reading text that others wrote as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
