"""The SOUP list: software of unknown provenance in the device, by name, version and purpose.

What the source tree states in its SOUP items is beside each: purpose, requirements, needed platform, and the review of published
anomalies, which counts for exactly the version that is locked. IEC 62304:2006+A1:2015, clauses 5.3.3, 5.3.4, 7.1.2, 7.1.3, 8.1.2.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from minivess.compliance.facts.package_metadata import about
from minivess.compliance.facts.platform_soup import KINDS, part_purpose, part_supplier, part_url, ships, standard_url
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import Lock, LockedPackage, Use, read_lock
from minivess.records.items.items import SoupItem as StatedSoup
from minivess.records.items.platform_parts import PlatformPart

COLUMNS = (
    "name",
    "version",
    "use",
    "purpose",
    "supplier",
    "home_page",
    "licence",
    "purl",
    "fixed_by",
    "item",
    "requirements",
    "platform",
    "anomalies",
    "review",
)
_UNSAID = "not stated"


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
    """Empty for a part of the platform that was not there or does not ship."""
    fixed_by: str
    """What fixes its content: digests, a commit, the source tree, or its version alone."""
    item: str = ""
    """The id of the SOUP item that is about it; empty: there is none, as for what other packages need."""
    requirements: str = ""
    """What is required of it."""
    platform: str = ""
    """The hardware and software that it needs."""
    anomalies: str = ""
    """Where its published anomalies are listed, and what would follow from which of them."""
    review: str = ""
    """Who reviewed them for this version, and what was found; or that this was not done."""
    reviewed: bool = False
    """Whether they were reviewed for this version."""


@implements("REQ-036", "REQ-262", "REQ-263", "REQ-264", "RC-119")
def soup(
    lock: Path, parts: tuple[PlatformPart, ...] = (), *, member: str = ".", items: Iterable[StatedSoup] = ()
) -> tuple[SoupItem, ...]:
    """The SOUP list: the parts of the platform, then what of a lock file runs with the device and builds it, by name.

    Packages that only tests and tools need are not part of the device and not listed; the SBOM has them, as excluded.

    Args:
        lock: as `read_lock` reads it.
        parts: of the platform, as they were recorded where the scenarios ran.
        member: as in `read_lock`.
        items: the SOUP items of the source tree.

    Raises:
        InputError: the lock file cannot be read.
    """
    facts, stated = read_lock(lock, member), {one.package: one for one in items}
    shipped = {package.name for package in facts.packages if package.use is Use.RUNTIME}
    rows = [(_part(part, shipped), stated.get(part.kind)) for part in parts]
    listed = (package for package in facts.packages if package.use is not Use.DEVELOPMENT)
    rows += ((_row(package, facts), stated.get(package.name)) for package in listed)
    return tuple(row if item is None else _with_item(row, item) for row, item in rows)


@implements("REQ-535")
def _with_item(row: SoupItem, item: StatedSoup) -> SoupItem:
    """A row with what the source tree states about the software."""
    needed = item.platform
    platform = "" if needed is None else f"Python {needed.python}; built for {', '.join(needed.builds)}"
    read = item.anomalies_read
    reviewed = read is not None and read.version == row.version
    if read is None:
        review = "not reviewed"
    elif reviewed:
        review = f"reviewed by {read.by} on {read.day}: {read.found}"
    else:
        review = f"not reviewed for this version; {read.by} reviewed {read.version} on {read.day}"
    return replace(
        row,
        item=item.id,
        purpose=item.purpose,
        requirements=" ".join(item.requirements),
        platform=platform + ("" if needed is None or needed.also is None else f". {needed.also}"),
        anomalies=item.anomalies,
        review=review,
        reviewed=reviewed,
    )


def _part(part: PlatformPart, shipped: Container[str]) -> SoupItem:
    known, below = KINDS[part.kind], ships(part, shipped)
    purpose = part_purpose(part)
    return SoupItem(
        name=part.title,
        version=part.version,
        use=Use.RUNTIME,
        purpose=purpose if below or not part.there else f"{purpose}; it comes with {part.part_of}, which does not ship",
        supplier=part_supplier(part),
        home_page=known.home_page,
        licence=known.licence or _UNSAID,
        purl=part_url(part) if below else "",
        fixed_by="the version that was recorded where the scenarios ran",
    )


def _row(package: LockedPackage, lock: Lock) -> SoupItem:
    known = about(package.name, package.version)
    return SoupItem(
        name=package.name,
        version=package.shown_version,
        use=package.use,
        purpose=_purpose(package, lock, known.summary),
        supplier=known.supplier or package.supplier or f"{_UNSAID} by the package",
        home_page=known.home_page,
        licence=known.licence or package.licence or f"{_UNSAID} by the installed package",
        purl=standard_url(package.purl),
        fixed_by=package.source.fixed_by,
    )


def _purpose(package: LockedPackage, lock: Lock, summary: str) -> str:
    more = f": {summary}" if summary else ""
    if package.direct:
        return (f"Direct dependency of {lock.root}" if lock.complete else f"Named by {lock.file}") + more
    if not package.required_by:
        return f"Named by {lock.file}{more}"
    needed = list(package.required_by)
    named = ", ".join(needed[:4]) + (f" and {len(needed) - 4} more" if len(needed) > 4 else "")
    return f"Required by {named}"


def soup_csv(items: tuple[SoupItem, ...]) -> str:
    """The items that ship, as CSV (RFC 4180) with a header row."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in items:
        if item.use is not Use.RUNTIME:
            continue
        writer.writerow([_plain(str(getattr(item, column))) for column in COLUMNS])
    return stream.getvalue()


def _plain(text: str) -> str:
    """Keep a spreadsheet from reading text that others wrote as a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text
