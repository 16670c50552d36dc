"""Statements about vulnerabilities (`risk/vex.yaml`), what they leave open of a scan, and both as CycloneDX (VEX)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from minivess.compliance.facts.cyclonedx import SPECIFICATION
from minivess.foundation.clock import timestamp as rfc3339
from minivess.foundation.implements import implements
from minivess.records.components.scan import Finding, Scan
from minivess.records.components.vex import CLOSED, VexFile, VexStatement
from minivess.records.device.preparation import Tool

VEX_FILE = "risk/vex.yaml"


@dataclass(frozen=True)
class JudgedFinding:
    """A vulnerability that a scan found, and what is stated about it."""

    finding: Finding
    statement: VexStatement | None

    @property
    def open(self) -> bool:
        """Whether work is left: there is no statement, or one that does not close it."""
        return self.statement is None or self.statement.state not in CLOSED

    @property
    def words(self) -> str:
        """For people."""
        found, stated = self.finding, self.statement
        score = "" if found.score is None else f" {found.score}"
        ends = "" if not found.fixed else f", corrected in {', '.join(found.fixed[:3])}"
        said = "without a VEX statement" if stated is None else f"stated as {stated.state} by {stated.by}"
        return f"{found.id} of {found.package} {found.version} ({found.severity}{score}{ends}) is {said}"


@implements("REQ-534")
def read_vex(source: Path) -> VexFile:
    """The statements of a source tree; none where it has no such file.

    Raises:
        InputError: the file is malformed, with file and line.
    """
    from minivess.foundation.reading.yaml_records import read_record  # YAML, which few commands need

    path = source / VEX_FILE
    return read_record(path, VexFile, shown=VEX_FILE) if path.is_file() else VexFile()


@implements("REQ-534")
def judged_findings(scan: Scan, vex: VexFile) -> tuple[JudgedFinding, ...]:
    """Each finding of a scan with the statement about it. A statement counts for the version that it names alone."""
    stated = {(one.vulnerability, one.component, one.version): one for one in vex.statements}
    return tuple(JudgedFinding(one, _statement(one, stated)) for one in scan.findings)


def _statement(finding: Finding, stated: Mapping[tuple[str, str, str], VexStatement]) -> VexStatement | None:
    """Of several statements about one vulnerability under its aliases, one that leaves it open counts."""
    named = [stated.get((one, finding.package, finding.version)) for one in sorted(finding.ids)]
    found = [one for one in named if one is not None]
    return next((one for one in found if one.state not in CLOSED), found[0] if found else None)


@implements("REQ-534")
def unfounded(scan: Scan, vex: VexFile) -> tuple[str, ...]:
    """Statements about what no scan found, each in a sentence."""
    found = {(one, finding.package, finding.version) for finding in scan.findings for one in finding.ids}
    return tuple(
        f"{VEX_FILE} states {one.vulnerability} of {one.component} {one.version}, which the scan did not find"
        for one in vex.statements
        if (one.vulnerability, one.component, one.version) not in found
    )


@implements("REQ-534")
def vex_document(
    vex: VexFile, scan: Scan | None, sbom: Mapping[str, Any], *, tool: Tool, timestamp: datetime
) -> dict[str, Any]:
    """Make the VEX in CycloneDX 1.6: every vulnerability that was found in what ships, and every one that is stated.

    Args:
        vex: the statements.
        scan: what was found; None: nothing was looked up.
        sbom: of the release; the VEX refers to its components by BOM-Link.
        tool: what makes the document.
        timestamp: the time it states.
    """
    references = {(one["name"], one["version"]): one["bom-ref"] for one in sbom["components"] if "bom-ref" in one}
    link = f"urn:cdx:{str(sbom['serialNumber']).removeprefix('urn:uuid:')}/{sbom['version']}"
    judged = () if scan is None else judged_findings(scan, vex)
    rows = [_found(one, references, link) for one in judged if one.finding.ships]
    said = {one.statement for one in judged}
    rows += [_stated(one, references, link) for one in vex.statements if one not in said]
    seed = f"minivess:vex:{sbom['serialNumber']}:{'' if scan is None else scan.snapshot.digest}:{vex.model_dump_json()}"
    scanned = "none" if scan is None else f"{scan.snapshot.digest} of {rfc3339(scan.snapshot.newest)}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, seed)}",
        "version": 1,
        "metadata": {
            "timestamp": rfc3339(timestamp),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": tool.name, "version": tool.version}]},
            "component": sbom["metadata"]["component"],
            "properties": [{"name": "minivess:snapshot", "value": scanned}],
        },
        "vulnerabilities": sorted(rows, key=lambda one: (one["id"], str(one["affects"]))),
    }


def _found(judged: JudgedFinding, references: Mapping[tuple[str, str], str], link: str) -> dict[str, Any]:
    finding = judged.finding
    rating: dict[str, Any] = {"severity": finding.severity}
    if finding.score is not None and finding.vector is not None:
        method = "CVSSv31" if finding.vector.startswith("CVSS:3.1") else "CVSSv3"
        rating |= {"score": finding.score, "method": method, "vector": finding.vector}
    return {
        "id": finding.id,
        "source": {"name": "OSV", "url": f"https://osv.dev/vulnerability/{finding.id}"},
        **({"references": _aliases(finding.aliases)} if finding.aliases else {}),
        "ratings": [rating],
        "description": finding.summary,
        **({"recommendation": f"Corrected in {', '.join(finding.fixed)}"} if finding.fixed else {}),
        "analysis": {"state": "in_triage"} if judged.statement is None else _analysis(judged.statement),
        "affects": _affects(finding.package, finding.version, references, link),
    }


def _aliases(ids: Iterable[str]) -> list[dict[str, Any]]:
    return [{"id": one, "source": {"url": f"https://osv.dev/vulnerability/{one}"}} for one in ids]


def _stated(statement: VexStatement, references: Mapping[tuple[str, str], str], link: str) -> dict[str, Any]:
    return {
        "id": statement.vulnerability,
        "analysis": _analysis(statement),
        "affects": _affects(statement.component, statement.version, references, link),
    }


def _analysis(statement: VexStatement) -> dict[str, Any]:
    stated: dict[str, Any] = {
        "state": statement.state,
        "justification": statement.justification,
        "response": list(statement.response),
        "detail": f"{statement.detail} ({statement.by}, {statement.day})",
        "lastUpdated": f"{statement.day}T00:00:00Z",
    }
    return {name: value for name, value in stated.items() if value}


def _affects(name: str, version: str, references: Mapping[tuple[str, str], str], link: str) -> list[dict[str, Any]]:
    from urllib.parse import quote

    reference = references.get((name, version))
    if reference is None:
        return [{"ref": f"pkg:pypi/{name}@{version}", "versions": [{"version": version, "status": "affected"}]}]
    return [{"ref": f"{link}#{quote(reference, safe='')}", "versions": [{"version": version, "status": "affected"}]}]
