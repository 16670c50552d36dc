"""A bill of materials as a lock: CycloneDX JSON (ECMA-424) and SPDX 2 JSON (ISO/IEC 5962).

A component that is software counts: a library, framework, application, platform, operating system, container, firmware or
driver. Models, data and hardware are no SOUP and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated
from urllib.parse import parse_qs, quote, unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from minivess.foundation.reading.json_records import first_error
from minivess.foundation.reading.locked_packages import (
    COMMIT,
    PYPI,
    Distribution,
    Lock,
    LockedPackage,
    LockedSource,
    Use,
    linked,
    package_name,
    told_apart,
    without_credentials,
)

_NO_SOFTWARE = frozenset({"machine-learning-model", "data", "file", "cryptographic-asset", "device"})
_SCOPES = {"required": Use.RUNTIME, "optional": Use.BUILD, "excluded": Use.DEVELOPMENT}
_NEEDED_BY = {
    "DEPENDENCY_OF": Use.RUNTIME,
    "RUNTIME_DEPENDENCY_OF": Use.RUNTIME,
    "PREREQUISITE_FOR": Use.RUNTIME,
    "BUILD_DEPENDENCY_OF": Use.BUILD,
    "BUILD_TOOL_OF": Use.BUILD,
    "DEV_DEPENDENCY_OF": Use.DEVELOPMENT,
    "DEV_TOOL_OF": Use.DEVELOPMENT,
    "TEST_DEPENDENCY_OF": Use.DEVELOPMENT,
    "TEST_TOOL_OF": Use.DEVELOPMENT,
}
"""SPDX relationships whose first package is needed by the second, and what for."""
_NEEDS = frozenset({"DEPENDS_ON", "CONTAINS", "HAS_PREREQUISITE", "STATIC_LINK", "DYNAMIC_LINK"})
"""SPDX relationships whose first package needs or holds the second."""
_UNSAID = frozenset({"", "NOASSERTION", "NONE"})
_PURL = re.compile(
    r"pkg:(?P<kind>[A-Za-z][A-Za-z0-9.+-]*)/(?P<name>[^@?#]+)(@(?P<version>[^?#]*))?(\?(?P<more>[^#]*))?.*"
)
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Hash(_Part):
    alg: str
    content: str


class _Link(_Part):
    type: str = ""
    url: str = ""
    hashes: tuple[_Hash, ...] = ()


class _Supplier(_Part):
    name: Text = ""


class _Licence(_Part):
    id: Text = ""
    name: Text = ""


class _Licensed(_Part):
    license: _Licence = _Licence()
    expression: Text = ""


class _Component(_Part):
    type: str
    name: Annotated[str, Field(min_length=1)]
    group: Text = ""
    version: Text = ""
    reference: Annotated[str, Field(alias="bom-ref")] = ""
    purl: str = ""
    scope: Annotated[str, Field(pattern="^(required|optional|excluded)$")] = "required"
    hashes: tuple[_Hash, ...] = ()
    links: Annotated[tuple[_Link, ...], Field(alias="externalReferences")] = ()
    supplier: _Supplier = _Supplier()
    licences: Annotated[tuple[_Licensed, ...], Field(alias="licenses")] = ()
    components: tuple[_Component, ...] = ()


class _Needs(_Part):
    ref: str
    on: Annotated[tuple[str, ...], Field(alias="dependsOn")] = ()


class _MetaData(_Part):
    component: _Component | None = None


class _CycloneDx(_Part):
    format: Annotated[str, Field(alias="bomFormat", pattern="^CycloneDX$")]
    version: Annotated[str, Field(alias="specVersion", pattern=r"^1\.[2-7]$")]
    metadata: _MetaData = _MetaData()
    components: tuple[_Component, ...]
    dependencies: tuple[_Needs, ...] | None = None


class _Checksum(_Part):
    algorithm: str
    value: Annotated[str, Field(alias="checksumValue")]


class _Reference(_Part):
    type: Annotated[str, Field(alias="referenceType")]
    place: Annotated[str, Field(alias="referenceLocator")]


class _SpdxPackage(_Part):
    id: Annotated[str, Field(alias="SPDXID")]
    name: Annotated[str, Field(min_length=1)]
    version: Annotated[Text, Field(alias="versionInfo")] = ""
    checksums: tuple[_Checksum, ...] = ()
    references: Annotated[tuple[_Reference, ...], Field(alias="externalRefs")] = ()
    supplier: Text = ""
    licence: Annotated[Text, Field(alias="licenseConcluded")] = ""
    declared: Annotated[Text, Field(alias="licenseDeclared")] = ""
    place: Annotated[Text, Field(alias="downloadLocation")] = ""


class _Relationship(_Part):
    one: Annotated[str, Field(alias="spdxElementId")]
    type: Annotated[str, Field(alias="relationshipType")]
    other: Annotated[str, Field(alias="relatedSpdxElement")]


class _Spdx(_Part):
    version: Annotated[str, Field(alias="spdxVersion", pattern=r"^SPDX-2\.[0-9]$")]
    packages: tuple[_SpdxPackage, ...]
    described: Annotated[tuple[str, ...], Field(alias="documentDescribes")] = ()
    relationships: tuple[_Relationship, ...] = ()


def read_cyclonedx(data: bytes, file: str, root: tuple[str, str]) -> Lock:
    """Read CycloneDX JSON of version 1.2 to 1.7.

    Args:
        data: the document.
        file: its name.
        root: name and version of the device, where `metadata.component` does not state them.

    Raises:
        ValueError: it is no such document, a component has no version, or one is there twice.
    """
    document = _parsed(data, _CycloneDx)
    top = document.metadata.component
    listed = [
        one for one in _flat((*document.components, *(top.components if top else ()))) if one.type not in _NO_SOFTWARE
    ]
    read = [(one.reference, _of_component(one)) for one in listed]
    needs = {one.ref: one.on for one in document.dependencies or ()}
    begin = (top.reference,) if top is not None and top.reference in needs else ()
    name = (top.name, top.version or root[1]) if top is not None else root
    return _lock(read, needs, begin, name, file, complete=document.dependencies is not None)


def read_spdx(data: bytes, file: str, root: tuple[str, str]) -> Lock:
    """Read SPDX JSON of version 2.

    Args:
        data: the document.
        file: its name.
        root: name and version of the device, where the document does not describe one package.

    Raises:
        ValueError: it is no such document, a package has no version, or one is there twice.
    """
    document = _parsed(data, _Spdx)
    uses: dict[str, Use] = {}
    needs: dict[str, list[str]] = {}
    for relation in document.relationships:
        use = _NEEDED_BY.get(relation.type)
        if use is not None:
            needs.setdefault(relation.other, []).append(relation.one)
            uses[relation.one] = min(use, uses.get(relation.one, use), key=list(Use).index)
        elif relation.type in _NEEDS:
            needs.setdefault(relation.one, []).append(relation.other)
            uses[relation.other] = Use.RUNTIME
    shown = {one.other for one in document.relationships if (one.one, one.type) == ("SPDXRef-DOCUMENT", "DESCRIBES")}
    begin = tuple(shown | set(document.described))
    tops = [one for one in document.packages if one.id in begin]
    alone = tops[0] if len(tops) == 1 and len(document.packages) > 1 else None
    name = root if alone is None else (alone.name, alone.version or root[1])
    read = [(one.id, _of_package(one, uses.get(one.id, Use.RUNTIME))) for one in document.packages if one is not alone]
    known = (alone.id,) if alone is not None and alone.id in needs else ()
    return _lock(read, needs, known, name, file, complete=bool(needs))


def _parsed[P: _Part](data: bytes, kind: type[P]) -> P:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise ValueError(first_error(error)) from None


def _flat(components: Iterable[_Component]) -> Iterator[_Component]:
    """Components with those that they are made of."""
    for one in components:
        yield one
        yield from _flat(one.components)


def _lock(
    read: list[tuple[str, LockedPackage]],
    needs: Mapping[str, Iterable[str]],
    begin: tuple[str, ...],
    root: tuple[str, str],
    file: str,
    *,
    complete: bool,
) -> Lock:
    packages = told_apart(package for _, package in read)
    urls = {reference: package.purl for (reference, _), package in zip(read, packages, strict=True) if reference}
    urls |= {package.purl: package.purl for package in packages}
    edges = {
        urls[one]: sorted({urls[target] for target in targets if target in urls} - {urls[one]})
        for one, targets in needs.items()
        if one in urls
    }
    direct = tuple(sorted({urls[target] for one in begin for target in needs[one] if target in urls}))
    named = direct or tuple(sorted(package.purl for package in packages))
    return Lock(root[0], root[1], named, linked(packages, edges, named), file, complete=complete)


def _of_component(one: _Component) -> LockedPackage:
    name = f"{one.group}/{one.name}" if one.group else one.name
    files = [(link.url, item) for link in one.links if link.type == "distribution" for item in link.hashes]
    files += [("", item) for item in one.hashes if not files]
    licence = next(
        (text for row in one.licences for text in (row.expression, row.license.id, row.license.name) if text), ""
    )
    return _package(
        name,
        one.version,
        one.purl,
        [(url, item.content) for url, item in files if item.alg == "SHA-256"],
        use=_SCOPES[one.scope],
        stated=(one.supplier.name, licence),
    )


def _of_package(one: _SpdxPackage, use: Use) -> LockedPackage:
    purl = next((reference.place for reference in one.references if reference.type == "purl"), "")
    licence = next((text for text in (one.licence, one.declared) if text not in _UNSAID), "")
    supplier = "" if one.supplier in _UNSAID else re.sub(r"^(Organization|Person|Tool): ", "", one.supplier)
    url = one.place if one.place.startswith(("https://", "http://")) else ""
    files = [(url, item.value) for item in one.checksums if item.algorithm == "SHA256"]
    return _package(one.name, one.version, purl, files, use=use, stated=(supplier, licence))


def _package(
    name: str, version: str, purl: str, files: list[tuple[str, str]], *, use: Use, stated: tuple[str, str]
) -> LockedPackage:
    match = _PURL.fullmatch(purl)
    if purl and match is None:
        raise ValueError(f"{name} has a package URL that is none: {purl[:80]}")
    version = version or unquote((match and match["version"]) or "")
    if not version or version in _UNSAID:
        raise ValueError(f"{name} has no version")
    python = match is not None and match["kind"].lower() == "pypi"
    name = package_name(name) if python else name
    digests = [(without_credentials(url), digest.lower()) for url, digest in files]
    wrong = next((digest for _, digest in digests if not re.fullmatch("[0-9a-f]{64}", digest)), None)
    if wrong is not None:
        raise ValueError(f"{name} {version} has a SHA-256 that is none: {wrong[:80]}")
    source = _source(version, (match and match["more"]) or "", tuple(sorted({digest for _, digest in digests})))
    plain = purl.partition("#")[0] or f"pkg:generic/{quote(name, safe='/.-_~')}@{quote(version, safe='.-_~!')}"
    supplier, licence = stated
    return LockedPackage(
        name=name,
        source=source,
        purl=plain,
        distributions=tuple(Distribution(url, digest) for url, digest in sorted(set(digests))),
        use=use,
        supplier=supplier[:200],
        licence=licence[:200],
    )


def _source(version: str, qualifiers: str, sha256: tuple[str, ...]) -> LockedSource:
    """Where a package comes from, as the qualifiers of its package URL say."""
    said = {key: values[0] for key, values in parse_qs(qualifiers.replace("+", "%2B")).items()}
    place, _, commit = said.get("vcs_url", "").removeprefix("git+").rpartition("@")
    if COMMIT.fullmatch(commit):
        return LockedSource(version, "git", without_credentials(place), commit, sha256)
    if "download_url" in said:
        return LockedSource(version, "url", without_credentials(said["download_url"]), "", sha256)
    return LockedSource(version, "registry", without_credentials(said.get("repository_url", PYPI)), "", sha256)
