"""Whether the SOUP list and the bill of materials of a pack name the same software, and all of the recorded platform."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from minivess.compliance.release.gate_facts import RESULTS
from minivess.compliance.release.pack_files import json_of, record_of, text_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.records.device.project import Device
from minivess.records.items.platform_parts import missing_parts
from minivess.records.items.trace import ResultReport

SBOM, SOUP = "data/bom/sbom.cdx.json", "data/bom/soup.csv"
_SHIPPED = frozenset({"required", "optional"})
"""The scopes of components that the SOUP list names too."""
_MARKED = ("'=", "'+", "'-", "'@", "'\t")
Named = tuple[str, str, str]
"""Name, version and package URL."""


@implements("REQ-264", "RC-119")
def check_soup(files: Mapping[str, bytes], device: Device) -> str:
    """Compare the SOUP list, the bill of materials and the platform of the results; returns in words what holds.

    Results of earlier versions state no platform, and their packs are compared without it.

    Raises:
        VerificationError: the bill is of another device or version, one of the two names software that the other does
            not, none is named, or a part of the platform is missing; names the first.
    """
    whole = json_of(files, SBOM)
    rows, components = _rows(files), _components(whole)
    about = whole.get("metadata") if isinstance(whole, dict) else None
    stated = _component(about.get("component") if isinstance(about, dict) else None)
    if stated[:2] != (device.name, device.version):
        raise VerificationError(
            f"{SBOM} is of {stated[0]} {stated[1]}, and the release is of {device.name} {device.version}"
        )
    listed = {row for row in rows if row[2]}
    if not listed:
        raise VerificationError(f"{SOUP} names no software")
    if len(set(rows)) != len(rows):
        raise VerificationError(f"{SOUP} names a part twice")
    for missing, place in ((components - listed, SOUP), (listed - components, SBOM)):
        if missing:
            name, version, url = min(missing)
            raise VerificationError(f"{place} does not name {name} {version} ({url})")
    parts = record_of(files, RESULTS, ResultReport).parts
    lacking = missing_parts(parts) if parts else ()
    if lacking:
        raise VerificationError(f"{RESULTS} states no {lacking[0]}")
    named = {row[:2] for row in rows}
    for part in parts:
        if (part.title, part.version) not in named:
            raise VerificationError(f"{SOUP} does not name {part.title} {part.version}, on which the scenarios ran")
    return f"{len(listed)} SOUP items, the same in the list and in the bill of materials; {len(parts)} parts of the platform"


def _rows(files: Mapping[str, bytes]) -> list[Named]:
    try:
        table = list(csv.reader(io.StringIO(text_of(files, SOUP), newline=""), strict=True))
    except csv.Error:
        raise VerificationError(f"{SOUP} is not CSV") from None
    head = table[0] if table else []
    places = [head.index(name) if head.count(name) == 1 else -1 for name in ("name", "version", "purl")]
    if -1 in places or any(len(row) != len(head) for row in table):
        raise VerificationError(f"{SOUP} is no SOUP list")
    name, version, url = places
    return [(_text(row[name]), _text(row[version]), _text(row[url])) for row in table[1:]]


def _text(cell: str) -> str:
    """A cell without the mark that keeps a spreadsheet from reading it as a formula."""
    return cell[1:] if cell.startswith(_MARKED) else cell


def _components(document: Any) -> set[Named]:
    """The components that ship; what is no list of components is refused as a component that it is not."""
    found = document.get("components") if isinstance(document, dict) else None
    return set(_shipped(found if isinstance(found, list) else [None]))


def _shipped(components: list[Any]) -> Iterable[Named]:
    for one in components:
        named = _component(one)
        if named[2] and str(one.get("scope", "required")) in _SHIPPED:
            yield named


def _component(value: Any) -> Named:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise VerificationError(f"{SBOM} is no bill of materials")
    return value["name"], str(value.get("version", "")), str(value.get("purl", ""))
