"""Building the evidence pack: everything gathered, every result traced to its entry, laid out, bagged, written once.

The layout is that of an RO-Crate inside a BagIt bag (RFC 8493) in a zip with one possible spelling. Same inputs, same
bytes: times are inputs, order is by name, nothing about the machine is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minivess.compliance.documents.chains import chains_csv
from minivess.compliance.documents.croissant import croissant
from minivess.compliance.documents.documents import card_of, documents
from minivess.compliance.documents.dossier import EVIDENCE, Dossier, PackInputs, gather
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.result_tables import cases_csv, junit_xml
from minivess.compliance.documents.start_page import index_page
from minivess.compliance.facts.sbom import sbom
from minivess.compliance.facts.soup import soup_csv
from minivess.compliance.pack.bag import TAG_MANIFEST, bag
from minivess.compliance.pack.crate import crate
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.proofs.envelope import envelope_bytes
from minivess.compliance.site.writer import site_files
from minivess.compliance.verification.holders import COSIGNATURE
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.base import Slug
from minivess.records.people.approval import Envelope

INDEX = "index.html"
_ODOMETER, _EVENTS = "evaluation/odometer.json", "lineage/events.jsonl"
_MADE = ("models/", "evaluation/", "datasets/", "verification/", "lineage/")
"""Folders whose files must be outputs of completed entries; the two files above are derived from the log instead."""
_LIMIT = 1 << 30


@dataclass(frozen=True)
class BuiltPack:
    """A pack that was written: the zip, the digest people sign, and how many files it holds."""

    path: Path
    tag_manifest_digest: str
    files: int


@implements("REQ-036", "REQ-040", "REQ-035", "RC-11")
def build_pack(inputs: PackInputs, out: Path) -> BuiltPack:
    """Build the pack of a release, without signatures.

    Args:
        inputs: what it is made from.
        out: the zip to write; by convention `release/<version>/<device>-<version>-evidence.zip`.

    Raises:
        RefusedError: a gate fails or was not judged, something is missing, or a result has no entry in the log; the
            message names which. Nothing is written.
        InputError: a file of the workspace, the source tree or the templates is malformed.
        CouldNotCheckError: the pack cannot be written.
    """
    _check_gates(inputs)
    dossier = gather(inputs)
    files = payload(dossier)
    device = inputs.project.device
    bagged = bag(
        {f"data/{name}": content for name, content in files.items()},
        {
            "Bagging-Date": f"{inputs.time:%Y-%m-%d}",
            "Bag-Software-Agent": "MiniVess",
            "Source-Organization": device.manufacturer,
            "External-Identifier": f"{device.name} {device.version}",
            "External-Description": f"Evidence of the release of {device.name} {device.version}",
            **({"MiniVess-Demo": "yes; the keys prove nothing about a real device"} if dossier.demo else {}),
        },
    )
    write_atomic(out, write_archive(bagged))
    return BuiltPack(out, digest_bytes(bagged[TAG_MANIFEST]), len(bagged))


def payload(dossier: Dossier) -> dict[str, bytes]:
    """Every file under `data/`, by name relative to it.

    Raises:
        RefusedError: a result has no entry in the log, or an entry has no lineage event; names it.
    """
    inputs = dossier.inputs
    files = _results(inputs.workspace)
    check_recorded(files, dossier)
    files |= _derived(dossier)
    files |= {f"traceability/{name}": content for name, content in site_files(dossier.trace)}
    files |= _evidence(dossier)
    files |= _verifier(inputs.templates)
    renderer = Renderer(inputs.templates)
    files |= {f"documents/{name}": page.encode("utf-8") for name, page in documents(renderer, dossier).items()}
    files["documents/croissant.json"] = _json(croissant(card_of(dossier)))
    files[INDEX] = index_page(renderer, dossier, sorted(files)).encode("utf-8")
    files["ro-crate-metadata.json"] = _json(crate(dossier, files))
    return files


@implements("REQ-039")
def _verifier(templates: Path) -> dict[str, bytes]:
    """The verifier that needs nothing but Python, and how to do the same by hand."""
    return {f"verify/{name}": _read(templates / "verify" / name) for name in ("verify.py", "VERIFY.md")}


@implements("REQ-036", "RC-06")
def check_recorded(files: Mapping[str, bytes], dossier: Dossier) -> None:
    """Refuse results whose digest no completed entry names as its output, and entries without their lineage event.

    Raises:
        RefusedError: names the first such file or entry.
    """
    made = dossier.log.outputs
    for name in sorted(files):
        if name.startswith(_MADE) and name != _EVENTS and digest_bytes(files[name]) not in made:
            raise RefusedError(
                f"{name} has no entry in the log: no completed action names it as its output",
                hint="it was changed or put there by hand; make it again with the command that writes it",
            )
    runs = set(_event_runs(files.get(_EVENTS, b"")))
    for entry in dossier.log.entries:
        run = entry.body.context.openlineage_run
        if run is not None and str(run) not in runs:
            raise RefusedError(
                f"entry {entry.body.index} ({entry.body.action}) has no lineage event in {_EVENTS}",
                hint="deliver the events that wait in the outbox, then build again",
            )


@implements("REQ-037")
def add_signature(pack: Path, signer_id: Slug, envelope: Envelope) -> None:
    """Put one person's signature into a pack. The archive is written anew, whole or not at all.

    Raises:
        RefusedError: they signed this pack already.
        InputError: the file is no pack.
        VerificationError: the archive was changed.
    """
    files = _open(pack)
    name = f"signatures/{signer_id}.dsse.json"
    if name in files:
        raise RefusedError(f"{signer_id} has already signed this pack", hint="another person signs next")
    write_atomic(pack, write_archive({**files, name: envelope_bytes(envelope)}))


def add_cosignature(pack: Path, holder: Slug, line: str) -> None:
    """Put a holder's cosignature of the checkpoint into a pack. The archive is written anew, whole or not at all.

    Raises:
        InputError: the file is no pack.
        VerificationError: the archive was changed.
    """
    write_atomic(pack, write_archive({**_open(pack), COSIGNATURE.format(holder): line.encode("utf-8")}))


def _check_gates(inputs: PackInputs) -> None:
    judged = [result.id for result in inputs.gates]
    if judged != [gate.id for gate in inputs.policy.gates]:
        raise RefusedError("not every gate of the release policy was judged", hint="judge the gates of this policy")
    failing = [result for result in inputs.gates if not result.passed]
    if failing:
        first = failing[0]
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        raise RefusedError(f"the gate {first.id!r} fails: {first.message}{more}", hint=first.mend)


def _results(workspace: Workspace) -> dict[str, bytes]:
    """Files that recorded actions made, as they are."""
    found = {
        "models/model.onnx": workspace.onnx,
        "models/export.json": workspace.models / "export.json",
        "models/calibration.json": workspace.models / "calibration.json",
        "models/ensemble.json": workspace.models / "ensemble.json",
        "datasets/manifest.json": workspace.data / "manifest.json",
        "datasets/split.json": workspace.data / "split.json",
        "datasets/validation.json": workspace.data / "validation.json",
        "datasets/sealed.json": workspace.sealed / "manifest.json",
        "evaluation/evaluation.json": workspace.evaluation / "evaluation.json",
        "verification/results.json": workspace.results,
        _EVENTS: workspace.evidence / "lineage" / "events.jsonl",
    }
    criteria = workspace.evaluation / "criteria.json"
    if criteria.is_file():
        found["evaluation/criteria.json"] = criteria
    for run in sorted((workspace.models / "members").glob("*/run.json")):
        found[f"models/members/{run.parent.name}.json"] = run
    for picture in sorted((workspace.evaluation / "figures").glob("*")):
        if picture.is_file() and picture.suffix in {".png", ".svg"}:
            found[f"evaluation/figures/{picture.name}"] = picture
    return {name: _read(path) for name, path in found.items()}


def _derived(dossier: Dossier) -> dict[str, bytes]:
    """Files that follow from the log, the source tree and the results."""
    inputs, log, device = dossier.inputs, dossier.log, dossier.project.device
    files = {
        _ODOMETER: canonical({"openings": log.history.openings}),
        "traceability/chains.csv": chains_csv(dossier.trace).encode("utf-8", "replace"),
        "traceability/junit.xml": junit_xml(dossier.report),
        "audit/entries.jsonl": b"".join(line + b"\n" for line in log.lines),
        "audit/details.jsonl": b"".join((details or b"null") + b"\n" for details in log.details),
        "audit/checkpoint.txt": log.note.encode("utf-8"),
        "audit/identities.json": _json(_identities(dossier)),
        "bom/sbom.cdx.json": _json(
            sbom(
                inputs.source / "uv.lock",
                device=device.name,
                version=device.version,
                timestamp=inputs.time,
                model_digest=dossier.export.onnx,
                manufacturer=device.manufacturer,
                intended_use=device.intended_use,
                model=dossier.project.model,
                evaluation=dossier.evaluation,
            )
        ),
        "bom/soup.csv": soup_csv(dossier.soup).encode("utf-8"),
        "release/policy.json": canonical(
            {
                "policy": inputs.policy.signatures.model_dump(mode="json"),
                "gates": [gate.model_dump(mode="json") for gate in inputs.policy.gates],
            }
        ),
        "release/gates.json": _json([gate.model_dump(mode="json") for gate in inputs.gates]),
        "release/cases.csv": cases_csv(dossier.evaluation).encode("utf-8"),
    }
    return files | {f"audit/proofs/{index}.tlog-proof": text.encode("utf-8") for index, text in log.proofs.items()}


@implements("REQ-108")
def _evidence(dossier: Dossier) -> dict[str, bytes]:
    """The files that results name, which the recorded results tie to the log by their digests."""
    named = {file for result in dossier.report.results for file in result.evidence if file.digest is not None}
    found: dict[str, bytes] = {}
    for file in sorted(named, key=lambda one: one.path):
        content = _read(dossier.inputs.source / file.path)
        if digest_bytes(content) != file.digest:
            raise RefusedError(
                f"the evidence file {file.path} is not the one that a result names", hint="run `minivess trace run`"
            )
        found[f"traceability/{EVIDENCE}/{file.path}"] = content
    return found


def _identities(dossier: Dossier) -> dict[str, Any]:
    register = dossier.log.register
    return {
        "demo": register.demo,
        "log": dossier.log.checkpoint.origin,
        "log_key": register.log_key.model_dump(mode="json"),
        "identities": [
            {"identity": tenure.identity.model_dump(mode="json"), "from": tenure.start, "until": tenure.end}
            for tenure in register.tenures.values()
        ],
    }


def _event_runs(events: bytes) -> Iterator[str]:
    for number, line in enumerate(events.splitlines(), start=1):
        try:
            yield str(json.loads(line)["run"]["runId"])
        except (ValueError, KeyError, TypeError):
            raise InputError("is not an OpenLineage event", path=_EVENTS, line=number) from None


def _open(pack: Path) -> dict[str, bytes]:
    return read_archive(read_limited(pack, limit=_LIMIT + (1 << 26)))


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise RefusedError(
            f"the pack needs {path.parent.name}/{path.name}, which is not there", hint="run the step that makes it"
        )
    return read_limited(path, limit=_LIMIT)


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return f"{text}\n".encode()
