"""How the parts of the platform are written into the SBOM and the SOUP list."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from packageurl import PackageURL

from minivess.compliance.facts.cyclonedx import HASH, LICENCE, support_properties, unknown_properties
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.items.item_parts import Support
from minivess.records.items.platform_parts import PartKind, PlatformPart


@dataclass(frozen=True)
class PartFacts:
    """What is known about each part of a kind."""

    type: ComponentType
    supplier: str
    """Empty where the part's own name is that of its supplier."""
    licence: str
    home_page: str
    purpose: str
    cpe: str = ""
    """Vendor and product of its Common Platform Enumeration; empty: none is stated."""


KINDS: Mapping[PartKind, PartFacts] = MappingProxyType(
    {
        "python": PartFacts(
            ComponentType.PLATFORM,
            "Python Software Foundation",
            "PSF-2.0",
            "https://www.python.org/",
            "Runs the software",
            "python:python",
        ),
        "openssl": PartFacts(
            ComponentType.LIBRARY,
            "OpenSSL Software Foundation",
            "Apache-2.0",
            "https://www.openssl.org/",
            "Signatures, encryption and TLS",
            "openssl:openssl",
        ),
        "sqlite": PartFacts(
            ComponentType.LIBRARY,
            "SQLite Consortium",
            "blessing",
            "https://www.sqlite.org/",
            "Keeps the database of the audit log",
            "sqlite:sqlite",
        ),
        "operating-system": PartFacts(
            ComponentType.OPERATING_SYSTEM, "", "", "", "Runs Python and gives access to files and devices"
        ),
        "cuda": PartFacts(
            ComponentType.PLATFORM,
            "NVIDIA",
            "",
            "https://developer.nvidia.com/cuda-toolkit",
            "Runs networks on a graphics processor",
        ),
    }
)


def standard_url(url: str) -> str:
    """A package URL in the one spelling of the purl-spec, as the SBOM and the SOUP list write it.

    Raises:
        InputError: it is none.
    """
    try:
        return PackageURL.from_string(url).to_string()
    except ValueError as error:
        raise InputError(
            f"{url[:120]} is no package URL: {error}", hint="correct it in the bill of materials"
        ) from None


_BROUGHT_BY: Mapping[str, str] = MappingProxyType({"PyTorch": "torch"})
"""The package that brings a part and may not ship, by what the part is named after."""


@implements("REQ-530")
def ships(part: PlatformPart, shipped: Container[str]) -> bool:
    """Whether a part was there and is below the service: not when the package that brings it does not ship.

    Args:
        part: of the platform.
        shipped: the names of the packages that run with the device.
    """
    package = _BROUGHT_BY.get(part.part_of or "")
    return part.there and (package is None or package in shipped)


def part_url(part: PlatformPart) -> str:
    """The package URL of a part (purl-spec, type `generic`); empty where it was not there."""
    if not part.there:
        return ""
    within = {"part_of": part.part_of} if part.part_of else None
    return PackageURL(
        "generic", None, quote(part.name.lower().replace("/", "-"), safe=" "), part.version, within
    ).to_string()


def part_supplier(part: PlatformPart) -> str:
    """Who supplies a part."""
    return KINDS[part.kind].supplier or part.name


def part_purpose(part: PlatformPart) -> str:
    """What a part is for, in words."""
    said = KINDS[part.kind].purpose
    return said if part.there else f"{said}; there was none where the scenarios ran"


def part_components(parts: Iterable[PlatformPart], support: Mapping[str, tuple[Support, ...]]) -> list[Component]:
    """The components of parts.

    Args:
        parts: of the platform.
        support: what is stated about the support of each kind.
    """
    return [_component(part, KINDS[part.kind], support.get(part.kind, ())) for part in parts]


def absent_parts(parts: Iterable[PlatformPart]) -> list[Property]:
    """Parts that do not ship, as properties of the device."""
    return [
        Property(
            name=f"minivess:{part.kind}",
            value=f"{part.title} {part.version}: does not ship" if part.there else f"{part.title}: none",
        )
        for part in parts
    ]


def _component(part: PlatformPart, known: PartFacts, support: tuple[Support, ...]) -> Component:
    url = part_url(part)
    return Component(
        name=part.title,
        version=part.version,
        type=known.type,
        bom_ref=url,
        purl=PackageURL.from_string(url),
        cpe=f"cpe:2.3:a:{known.cpe}:{part.version}:*:*:*:*:*:*:*" if known.cpe else None,
        scope=ComponentScope.REQUIRED,
        description=known.purpose,
        supplier=OrganizationalEntity(name=part_supplier(part)),
        manufacturer=OrganizationalEntity(name=part_supplier(part)),
        licenses=[LicenseFactory().make_from_string(known.licence)] if known.licence else [],
        properties=[
            Property(name="minivess:kind", value=part.kind),
            *unknown_properties({LICENCE: known.licence, HASH: None}),
            *support_properties(support, part.version),
        ],
    )
