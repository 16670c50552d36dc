"""What all bills of materials of a release share: the schema of CycloneDX 1.6 (ECMA-424), author, tool, and what is not known.

Properties have the names of the official taxonomies for the minimum elements of CISA (2026, `cdx:cisa`) and for the guidance
of the FDA on cybersecurity (2026, `cdx:fda`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
from cyclonedx.model import Property
from cyclonedx.model.bom import BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository

from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.records.device.preparation import Tool
from minivess.records.items.item_parts import Support

SPECIFICATION = "1.6"
"""The version of CycloneDX in which every bill of materials is written."""
UNKNOWN = "unknown"
LICENCE, HASH, PRODUCER = "Component License", "Component Hash Value", "Component Producer"
"""Names of data fields in the minimum elements."""
URL = re.compile(r"(?:https?://|urn:)(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})+", re.ASCII)
"""An absolute URL in the characters of RFC 3986."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCHEMAS, _REFERRED = "http://cyclonedx.org/schema/", ("spdx", "jsf-0.82", "cryptography-defs")
"""Where CycloneDX 1.6 publishes its schemas, and those that its own refers to."""
_NOT_ASSESSED = "its support was not assessed for this version"


@implements("REQ-036", "REQ-530")
def validate_bom(document: dict[str, Any]) -> None:
    """Check a bill of materials against the strict schema of CycloneDX 1.6; URLs and digests of links more narrowly than it asks.

    Raises:
        RefusedError: the document does not meet the schema.
    """
    for component in document.get("components", ()):
        for link in component.get("externalReferences", ()):
            if not URL.fullmatch(link["url"]):
                raise RefusedError(f"the SBOM names {link['url'][:80]!r}, which is no URL")
            for item in link.get("hashes", ()):
                if not _SHA256.fullmatch(item["content"]):
                    raise RefusedError(f"the SBOM names {item['content'][:80]!r}, which is no SHA-256")
    fault = next(_strict_schema().iter_errors(document), None)
    if fault is not None:
        raise RefusedError(f"the SBOM does not meet CycloneDX 1.6: {fault.message.splitlines()[0][:300]}")


@cache
def _strict_schema() -> jsonschema_rs.Validator:
    """The strict schema in the files of the CycloneDX library, whose own validator takes seconds to import."""
    folder = files("cyclonedx.schema") / "_res"

    def read(name: str) -> Any:
        return json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8"))

    known = [(f"{_SCHEMAS}{name}.SNAPSHOT.schema.json", read(name)) for name in _REFERRED]
    registry = jsonschema_rs.Registry(known, draft=jsonschema_rs.Draft7)
    return jsonschema_rs.Draft7Validator(read(f"bom-{SPECIFICATION}"), registry=registry, validate_formats=True)


def meta_data(
    about: Component,
    *,
    manufacturer: str,
    tool: Tool | None,
    phase: LifecyclePhase,
    properties: Iterable[Property] = (),
) -> BomMetaData:
    """Who made a bill of materials, with what, from what, and about what.

    Args:
        about: what the bill is of.
        manufacturer: who places the device on the market; empty: not stated.
        tool: what makes the bill; None: not stated.
        phase: what it is made from (CISA: generation context).
        properties: of the bill.
    """
    made = [] if tool is None else [Component(name=tool.name, version=tool.version, type=ComponentType.APPLICATION)]
    return BomMetaData(
        component=about,
        authors=[OrganizationalContact(name=manufacturer)] if manufacturer else None,
        manufacturer=OrganizationalEntity(name=manufacturer) if manufacturer else None,
        tools=ToolRepository(components=made) if made else None,
        lifecycles=[PredefinedLifecycle(phase)],
        properties=properties,
    )


@implements("REQ-530")
def unknown_properties(known: Mapping[str, object]) -> list[Property]:
    """The properties that name each data field without a value.

    Args:
        known: the value of a field by its name.
    """
    return [Property(name="cdx:cisa:unknown-information", value=name) for name, value in known.items() if not value]


@implements("REQ-530")
def support_properties(stated: Iterable[Support], version: str) -> list[Property]:
    """The level of support of a component and its end, or why they cannot be stated.

    Args:
        stated: about versions of it.
        version: that ships.
    """
    support = next((one for one in stated if one.holds_for(version)), None)
    if support is None:
        lacking = ("cdx:fda:level-of-support", "cdx:fda:end-of-support-date")
        return [Property(name="cdx:fda:justification", value=f"{name}: {_NOT_ASSESSED}") for name in lacking]
    values = {
        "cdx:fda:level-of-support": support.level,
        "cdx:fda:support-assessed-date": support.assessed,
        "cdx:fda:update-or-replace-plan": support.plan,
        "cdx:fda:end-of-support-date": support.ends,
        "cdx:lifecycle:milestone:endOfSupport": support.ends,
        "cdx:fda:justification": support.no_end and f"cdx:fda:end-of-support-date: {support.no_end}",
    }
    return [Property(name=name, value=value) for name, value in values.items() if value]
