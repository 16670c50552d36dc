"""The software bill of materials: CycloneDX 1.6 JSON of the lock file, the platform and the model.

Every distribution named by the lock file is an external reference with its SHA-256. The scope is `required` for what runs
with the device, `optional` for what only built it, and `excluded` for what only tested it. The object model of the library
has no model card and no compositions, so they are added to the serialised document, which is then validated against the
strict schema. Sources: ECMA-424 (CycloneDX 1.6), NTIA minimum elements, FDA premarket cybersecurity.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import jsonschema_rs
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.contact import OrganizationalContact, OrganizationalEntity
from cyclonedx.model.dependency import Dependency
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from minivess.compliance.facts.package_metadata import about
from minivess.compliance.facts.platform_soup import absent_parts, part_components, standard_url
from minivess.foundation.clock import timestamp as rfc3339
from minivess.foundation.digests import digest_file
from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import LockedPackage, Use, read_lock
from minivess.records.evaluation.evaluation import EvaluationRecord
from minivess.records.evaluation.measures import name_in
from minivess.records.evaluation.statistics.summaries import Interval
from minivess.records.items.platform_parts import PlatformPart
from minivess.records.models.networks.specifications import ModelSpec
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

_URL = re.compile(r"(?:https?://|urn:)(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})+", re.ASCII)
"""An absolute URL in the characters of RFC 3986."""
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCHEMAS, _REFERRED = "http://cyclonedx.org/schema/", ("spdx", "jsf-0.82", "cryptography-defs")
"""Where CycloneDX 1.6 publishes its schemas, and those that its own refers to."""
_SCOPES = {
    Use.RUNTIME: ComponentScope.REQUIRED,
    Use.BUILD: ComponentScope.OPTIONAL,
    Use.DEVELOPMENT: ComponentScope.EXCLUDED,
}


@implements("REQ-036", "REQ-262", "REQ-264", "RC-119")
def sbom(
    lock: Path,
    *,
    device: str,
    version: str,
    timestamp: datetime,
    model_digest: str | None,
    manufacturer: str = "",
    intended_use: str = "",
    model: ModelSpec | None = None,
    evaluation: EvaluationRecord | None = None,
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES,
    parts: tuple[PlatformPart, ...] = (),
    member: str = ".",
) -> dict[str, Any]:
    """Make the SBOM of a device.

    The same arguments and the same installed packages give the same document: the serial number is derived from the
    lock file's digest, the device, its version, its model and its platform.

    Args:
        lock: the lock file the device was built with, as `read_lock` reads it.
        device: the device's name.
        version: the version under release.
        timestamp: the time the document states.
        model_digest: `sha256:` digest of the shipped ONNX file, or None for software without a model.
        manufacturer: who places the device on the market.
        intended_use: goes to the model card's use cases.
        model: architecture of the network, for the model card.
        evaluation: measures on the sealed test set, for the model card.
        task: channels, axes and classes of the model, for the model card.
        parts: of the platform, as they were recorded where the scenarios ran.
        member: as in `read_lock`.

    Raises:
        InputError: the lock file cannot be read.
    """
    facts = read_lock(lock, member)
    root = Component(
        name=device,
        version=version,
        type=ComponentType.APPLICATION,
        bom_ref="device",
        supplier=OrganizationalEntity(name=manufacturer) if manufacturer else None,
        description=intended_use or None,
        properties=absent_parts(parts),
    )
    framework = Component(
        name=facts.root,
        version=facts.root_version,
        type=ComponentType.FRAMEWORK,
        bom_ref="framework",
        scope=ComponentScope.REQUIRED,
    )
    platform = part_components(parts)
    components = [framework, *platform, *(_component(package) for package in facts.packages)]
    below = [component.bom_ref.value for component in platform if component.bom_ref.value]
    needs = {"device": ["framework"], "framework": [*facts.direct, *below], **{reference: [] for reference in below}}
    needs |= {package.purl: list(package.dependencies) for package in facts.packages}
    if model_digest is not None:
        components.append(_model(device, version, model_digest))
        needs["device"].append("model")
        needs["model"] = []
    platform_lines = [f"{part.kind} {part.title} {part.version}" for part in parts]
    seed = "\n".join((digest_file(lock), device, version, model_digest or "", *platform_lines))
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"minivess:sbom:{seed}"),
        metadata=BomMetaData(
            component=root,
            timestamp=timestamp,
            authors=[OrganizationalContact(name=manufacturer)] if manufacturer else None,
        ),
        components=components,
        dependencies=_dependencies([root, *components], needs),
    )
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    document["metadata"]["timestamp"] = rfc3339(timestamp)
    for component in document["components"]:
        if component["type"] == "machine-learning-model":
            component["modelCard"] = _card(model, evaluation, intended_use, task)
    if not facts.complete:
        unsaid = ["framework", *(package.purl for package in facts.packages)]
        document["compositions"] = [{"aggregate": "unknown", "dependencies": unsaid}]
    return document


@implements("REQ-036")
def validate_sbom(document: dict[str, Any]) -> None:
    """Check an SBOM against the strict schema of CycloneDX 1.6; URLs and digests of links more narrowly than it asks.

    Raises:
        RefusedError: the document does not meet the schema.
    """
    for component in document["components"]:
        for link in component.get("externalReferences", ()):
            if not _URL.fullmatch(link["url"]):
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
    return jsonschema_rs.Draft7Validator(read("bom-1.6"), registry=registry, validate_formats=True)


def _component(package: LockedPackage) -> Component:
    known = about(package.name, package.version)
    single = package.distributions if len(package.distributions) == 1 else ()
    supplier, licence = known.supplier or package.supplier, known.licence or package.licence
    return Component(
        name=package.name,
        version=package.shown_version,
        type=ComponentType.LIBRARY,
        bom_ref=package.purl,
        purl=PackageURL.from_string(standard_url(package.purl)),
        scope=_SCOPES[package.use],
        description=known.summary or None,
        supplier=OrganizationalEntity(name=supplier) if supplier else None,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=item.sha256) for item in single],
        external_references=_links(package, known.home_page),
        properties=[Property(name="minivess:fixed-by", value=package.source.fixed_by)],
    )


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
    if package.source.kind == "git" and _URL.fullmatch(package.source.place):
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


def _model(device: str, version: str, digest: str) -> Component:
    return Component(
        name=f"{device}-model",
        version=version,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        scope=ComponentScope.REQUIRED,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
        properties=[Property(name="minivess:path", value="data/models/model.onnx")],
    )


def _dependencies(components: list[Component], needs: dict[str, list[str]]) -> list[Dependency]:
    references = {component.bom_ref.value: component.bom_ref for component in components}
    return [
        Dependency(references[source], [Dependency(references[target]) for target in sorted(set(targets))])
        for source, targets in needs.items()
    ]


def _card(
    model: ModelSpec | None, evaluation: EvaluationRecord | None, intended_use: str, task: SegmentationTask
) -> dict[str, Any]:
    """The model card of CycloneDX 1.6: parameters, figures and considerations, as far as they are known."""
    kind, place = ("volume", "z, y, x") if task.axes == "zyx" else ("picture", "y, x")
    channels = "" if task.channels == 1 else f"{task.channels}, "
    several = f"{task.outputs}, {place}"
    parameters: dict[str, Any] = {
        "approach": {"type": "supervised"},
        "task": f"semantic segmentation of {kind}s",
        "architectureFamily": "convolutional neural network",
        "inputs": [{"format": f"float32 {kind} ({channels}{place})"}],
        "outputs": [
            {"format": f"float32 probability of {task.classes[0].name} ({place})"}
            if task.one_class
            else {
                "format": f"float32 probability of background, {', '.join(one.name for one in task.classes)} ({several})"
            }
        ],
    }
    if model is not None:
        parameters["modelArchitecture"] = model.summary
    card: dict[str, Any] = {"bom-ref": "model-card", "modelParameters": parameters}
    if evaluation is not None:
        card["quantitativeAnalysis"] = {
            "performanceMetrics": [
                {
                    "type": name_in(name, evaluation.unit),
                    "value": f"{interval.mean:.4f}",
                    "slice": "sealed test set" if of_class is None else f"sealed test set, class {of_class}",
                    **_confidence(interval),
                }
                for of_class, figures in evaluation.by_class.items()
                for name, interval in sorted(figures.aggregates.items())
            ]
        }
    if intended_use:
        card["considerations"] = {"useCases": [intended_use]}
    return card


def _confidence(interval: Interval) -> dict[str, Any]:
    if interval.lower is None or interval.upper is None:
        return {}
    return {"confidenceInterval": {"lowerBound": f"{interval.lower:.4f}", "upperBound": f"{interval.upper:.4f}"}}
