"""The bills of materials of a pack, from the facts of its release."""

from __future__ import annotations

import json
from typing import Any

from minivess.compliance.documents.documents import card_of
from minivess.compliance.documents.dossier import Dossier, PackInputs
from minivess.compliance.facts.ml_bom import ModelFacts, ml_bom
from minivess.compliance.facts.sbom import BillFacts, sbom, tools_bom
from minivess.compliance.facts.soup import soup_csv
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.vulnerabilities.licences import checked_licences, read_component_policy
from minivess.compliance.vulnerabilities.review import component_review, last_scan
from minivess.compliance.vulnerabilities.vex import read_vex, vex_document
from minivess.foundation.implements import implements
from minivess.foundation.reading.lock_file import lock_place
from minivess.records.components.scan import Scan
from minivess.records.items.items import SoupItem

SCAN = "bom/scan.json"
"""The name of the scan in a pack, relative to `data/`."""


@implements("REQ-036", "REQ-530", "REQ-531", "REQ-532", "REQ-534")
def bills_of(dossier: Dossier) -> dict[str, bytes]:
    """The files of `bom/`, by name relative to `data/`.

    Raises:
        InputError: the lock file cannot be read.
    """
    inputs, export, report = dossier.inputs, dossier.export, dossier.report
    facts = bill_facts(inputs)
    shipped = sbom(facts, model_digest=export.onnx, parts=report.parts)
    scan, vex, policy = _scan(inputs), read_vex(inputs.source), facts.policy
    review = component_review(
        checked_licences(facts.lock, facts.member, policy),
        scan,
        vex,
        policy,
        tool=inputs.tool,
        environment=inputs.lock_digest,
        time=inputs.time,
    )
    scanned = {} if scan is None else {SCAN: canonical(scan)}
    return {
        **scanned,
        "bom/review.json": canonical(review),
        "bom/vex.cdx.json": _json(vex_document(vex, scan, shipped, tool=inputs.tool, timestamp=inputs.time)),
        "bom/sbom.cdx.json": _json(shipped),
        "bom/tools.cdx.json": _json(tools_bom(facts)),
        "bom/ml.cdx.json": _json(ml_bom(facts, _model_facts(dossier))),
        "bom/soup.csv": soup_csv(dossier.soup).encode("utf-8"),
    }


def _scan(inputs: PackInputs) -> Scan | None:
    """The last scan of the workspace, when it is one of the lock file that is released."""
    found = last_scan(inputs.workspace)
    return found if found is not None and found.environment == inputs.lock_digest else None


def bill_facts(inputs: PackInputs) -> BillFacts:
    """What all bills of materials of a release are made from."""
    lock, member = lock_place(inputs.source)
    device = inputs.project.device
    return BillFacts(
        lock,
        device=device.name,
        version=device.version,
        timestamp=inputs.time,
        manufacturer=device.manufacturer,
        intended_use=device.intended_use,
        tool=inputs.tool,
        member=member,
        soup=tuple(inputs.tree.items.of(SoupItem).values()),
        policy=read_component_policy(inputs.source),
    )


def _model_facts(dossier: Dossier) -> ModelFacts:
    return ModelFacts(
        export=dossier.export,
        runs=dossier.runs,
        calibration=dossier.calibration,
        evaluation=dossier.evaluation,
        plan=dossier.inputs.chain.plan,
        data=card_of(dossier),
        stated=dossier.project.model_card,
    )


def _json(value: Any) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)}\n".encode()
