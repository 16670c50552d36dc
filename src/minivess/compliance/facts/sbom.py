"""The software bill of materials: CycloneDX 1.6 JSON of what ships, from the lock file, the platform and the model.

`sbom` lists what runs with the device on its platform. `tools_bom` lists every other package of the lock file: its scope is
`optional` for what only builds the device, and `excluded` for what only tests it. Each distribution is an external reference
with its SHA-256; the hash of a component is that of the file that is installed on the platform. Sources: ECMA-424
(CycloneDX 1.6), CISA minimum elements for an SBOM (2026), FDA premarket cybersecurity (2026).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.model.lifecycle import LifecyclePhase
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from minivess.compliance.facts.cyclonedx import (
    HASH,
    LICENCE,
    PRODUCER,
    UNKNOWN,
    URL,
    meta_data,
    support_properties,
    unknown_properties,
)
from minivess.compliance.facts.package_metadata import about
from minivess.compliance.facts.platform_soup import absent_parts, part_components, ships, standard_url
from minivess.foundation.clock import timestamp as rfc3339
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import Lock, LockedPackage, Use, read_lock
from minivess.foundation.serving_platform import IN_WORDS, installed_file
from minivess.records.components.policy import ComponentPolicy
from minivess.records.device.preparation import Tool
from minivess.records.items.item_parts import Support
from minivess.records.items.items import SoupItem
from minivess.records.items.platform_parts import PlatformPart

_SCOPES = {
    Use.RUNTIME: ComponentScope.REQUIRED,
    Use.BUILD: ComponentScope.OPTIONAL,
    Use.DEVELOPMENT: ComponentScope.EXCLUDED,
}


@dataclass(frozen=True)
class BillFacts:
    """What both bills of materials of a release are made from.

    The same facts and the same installed packages give the same documents: the serial number is derived from the lock file's
    digest, the device, its version, its model and its platform.
    """

    lock: Path
    """The lock file the device was built with, as `read_lock` reads it."""
    device: str
    version: str
    """The version under release."""
    timestamp: datetime
    """The time the documents state."""
    manufacturer: str = ""
    """Who places the device on the market."""
    intended_use: str = ""
    tool: Tool | None = None
    """What makes the bills."""
    member: str = "."
    """As in `read_lock`."""
    soup: tuple[SoupItem, ...] = ()
    """The items of the source tree, which state the support of what they are about."""
    policy: ComponentPolicy = field(default_factory=ComponentPolicy)
    """What was read about licences that metadata do not name."""

    def support(self) -> dict[str, tuple[Support, ...]]:
        """The stated support by the name of the package or the kind of the part."""
        return {one.package: one.support for one in self.soup}


@dataclass(frozen=True)
class _Graph:
    """Components, and which needs which."""

    about: Component
    components: list[Component]
    needs: dict[str, list[str]]
    unsaid: list[str] = field(default_factory=list)
    """References of components of which it is not known what they need."""

    def document(self, facts: BillFacts, name: str, seed: Iterable[str], phase: LifecyclePhase) -> dict[str, Any]:
        """The bill of materials. `name` and `seed` decide its serial number."""
        bom = Bom(
            serial_number=uuid5(NAMESPACE_URL, f"minivess:{name}:" + "\n".join(seed)),
            metadata=meta_data(
                self.about,
                manufacturer=facts.manufacturer,
                tool=facts.tool,
                phase=phase,
                properties=[
                    Property(name="minivess:lock", value=f"{facts.lock.name} {digest_file(facts.lock)}"),
                    Property(name="minivess:platform", value=IN_WORDS),
                ],
            ),
            components=self.components,
            dependencies=_dependencies([self.about, *self.components], self.needs),
        )
        bom.metadata.timestamp = facts.timestamp
        document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
        document["metadata"]["timestamp"] = rfc3339(facts.timestamp)
        if self.unsaid:
            document["compositions"] = [{"aggregate": "unknown", "dependencies": self.unsaid}]
        return document


@implements("REQ-036", "REQ-262", "REQ-264", "REQ-530", "RC-119")
def sbom(facts: BillFacts, *, model_digest: str | None = None, parts: tuple[PlatformPart, ...] = ()) -> dict[str, Any]:
    """Make the SBOM of a device: what runs with it on its platform, and nothing else.

    Args:
        facts: what it is made from.
        model_digest: `sha256:` digest of the shipped ONNX file, or None for software without a model.
        parts: of the platform, as they were recorded where the scenarios ran.

    Raises:
        InputError: the lock file cannot be read.
    """
    lock, support = read_lock(facts.lock, facts.member), facts.support()
    shipped = [package for package in lock.packages if package.use is Use.RUNTIME]
    names = {package.name for package in shipped}
    platform = part_components([part for part in parts if ships(part, names)], support)
    components = [_framework(lock), *platform, *(_component(package, facts, support) for package in shipped)]
    needs = _needs(shipped, {package.purl for package in shipped})
    below = [component.bom_ref.value for component in platform if component.bom_ref.value]
    direct = [purl for purl in lock.direct if purl in needs]
    needs |= {"device": ["framework"], "framework": [*direct, *below], **{reference: [] for reference in below}}
    if model_digest is not None:
        components.append(_model(facts, model_digest))
        needs["device"].append("model")
        needs["model"] = []
    root = Component(
        name=facts.device,
        version=facts.version,
        type=ComponentType.APPLICATION,
        bom_ref="device",
        supplier=OrganizationalEntity(name=facts.manufacturer) if facts.manufacturer else None,
        description=facts.intended_use or None,
        properties=absent_parts(part for part in parts if not ships(part, names)),
    )
    platform_lines = [f"{part.kind} {part.title} {part.version}" for part in parts]
    seed = (digest_file(facts.lock), facts.device, facts.version, model_digest or "", *platform_lines)
    unsaid = [] if lock.complete else ["framework", *(package.purl for package in shipped)]
    return _Graph(root, components, needs, unsaid).document(facts, "sbom", seed, LifecyclePhase.PRE_BUILD)


@implements("REQ-530")
def tools_bom(facts: BillFacts) -> dict[str, Any]:
    """Make the bill of materials of the packages that build and test a device and do not run with it.

    Raises:
        InputError: the lock file cannot be read.
    """
    lock, support = read_lock(facts.lock, facts.member), facts.support()
    tools = [package for package in lock.packages if package.use is not Use.RUNTIME]
    needs = _needs(tools, {package.purl for package in tools})
    root = Component(
        name=f"tools of {lock.root}", version=lock.root_version, type=ComponentType.FRAMEWORK, bom_ref="tools"
    )
    needs["tools"] = [purl for purl in lock.direct if purl in needs]
    unsaid = [] if lock.complete else [package.purl for package in tools]
    graph = _Graph(root, [_component(package, facts, support) for package in tools], needs, unsaid)
    return graph.document(
        facts, "tools", (digest_file(facts.lock), facts.device, facts.version), LifecyclePhase.PRE_BUILD
    )


def _needs(packages: Iterable[LockedPackage], listed: set[str]) -> dict[str, list[str]]:
    return {package.purl: [purl for purl in package.dependencies if purl in listed] for package in packages}


def _framework(lock: Lock) -> Component:
    known = about(lock.root, lock.root_version)
    return Component(
        name=lock.root,
        version=lock.root_version,
        type=ComponentType.FRAMEWORK,
        bom_ref="framework",
        scope=ComponentScope.REQUIRED,
        description=known.summary or None,
        supplier=OrganizationalEntity(name=known.supplier) if known.supplier else None,
        licenses=[LicenseFactory().make_from_string(known.licence)] if known.licence else [],
        properties=unknown_properties({LICENCE: known.licence, PRODUCER: known.supplier, HASH: None}),
    )


def _component(package: LockedPackage, facts: BillFacts, support: Mapping[str, tuple[Support, ...]]) -> Component:
    known = about(package.name, package.version)
    supplier, stated = known.supplier or package.supplier, known.licence or package.licence
    licence = facts.policy.licence_of(package.name, stated)
    concluded = {} if licence == stated else {"license_acknowledgement": LicenseAcknowledgement.CONCLUDED}
    digests = _digests(package)
    return Component(
        name=package.name,
        version=package.shown_version,
        type=ComponentType.LIBRARY,
        bom_ref=package.purl,
        purl=PackageURL.from_string(standard_url(package.purl)),
        scope=_SCOPES[package.use],
        description=known.summary or None,
        supplier=OrganizationalEntity(name=supplier) if supplier else None,
        manufacturer=OrganizationalEntity(name=supplier or UNKNOWN),
        licenses=[LicenseFactory().make_from_string(licence, **concluded)] if licence else [],
        hashes=digests,
        external_references=_links(package, known.home_page),
        properties=[
            Property(name="minivess:fixed-by", value=package.source.fixed_by),
            *unknown_properties({LICENCE: licence, PRODUCER: supplier, HASH: digests}),
            *support_properties(support.get(package.name, ()), package.version),
        ],
    )


def _digests(package: LockedPackage) -> list[HashType]:
    """The digest of the file that is installed on the platform; that of the only file where there is one."""
    known = {item.url: item.sha256 for item in package.distributions}
    single = next(iter(known.values())) if len(package.distributions) == 1 else None
    fitting = known.get(installed_file(known) or "") if len(known) == len(package.distributions) else None
    digest = single or fitting
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)] if digest else []


def _links(package: LockedPackage, home_page: str) -> list[ExternalReference]:
    """Where its files, its repository and its home page are."""
    links = [
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(item.url or f"urn:sha256:{item.sha256}"),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=item.sha256)],
        )
        for item in package.distributions
    ]
    if package.source.kind == "git" and URL.fullmatch(package.source.place):
        links.append(
            ExternalReference(
                type=ExternalReferenceType.VCS,
                url=XsUri(package.source.place),
                comment=f"commit {package.source.commit}",
            )
        )
    if home_page:
        links.append(ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(home_page)))
    return links


def _model(facts: BillFacts, digest: str) -> Component:
    return Component(
        name=f"{facts.device}-model",
        version=facts.version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        scope=ComponentScope.REQUIRED,
        supplier=OrganizationalEntity(name=facts.manufacturer) if facts.manufacturer else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
        properties=[Property(name="minivess:path", value="data/models/model.onnx")],
    )


def _dependencies(components: list[Component], needs: dict[str, list[str]]) -> list[Dependency]:
    references = {component.bom_ref.value: component.bom_ref for component in components}
    return [
        Dependency(references[source], [Dependency(references[target]) for target in sorted(set(targets))])
        for source, targets in needs.items()
    ]
