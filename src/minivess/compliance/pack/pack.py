"""Building the evidence pack: everything gathered, bound by an entry of the log, laid out, bagged, written once.

`prepare_pack` makes every file but those of the log, and says what the entry `release.prepare` must say. `build_pack` adds
the log that ends with this entry. The layout is that of an RO-Crate inside a BagIt bag (RFC 8493) in a zip with one
possible spelling. Same inputs, same bytes: times are inputs, order is by name, nothing about the machine is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from minivess.compliance.documents.croissant import croissant
from minivess.compliance.documents.documents import (
    card_of,
    document_models,
    html_pages,
    hugging_face_of,
    other_formats,
    renderer_of,
)
from minivess.compliance.documents.dossier import Dossier, PackInputs, evidence_files, gather
from minivess.compliance.documents.result_tables import cases_csv, junit_xml
from minivess.compliance.documents.start.open_points import link_reviews
from minivess.compliance.documents.start_page import index_page
from minivess.compliance.facts.attested import attested_of, open_anomalies
from minivess.compliance.facts.cyclonedx import validate_bom
from minivess.compliance.pack.bag import TAG_MANIFEST, bag
from minivess.compliance.pack.bills import bills_of
from minivess.compliance.pack.changes import CHANGES, difference_for, plan_files
from minivess.compliance.pack.crate import crate
from minivess.compliance.pack.item_exports import item_exports
from minivess.compliance.pack.model_signature import signed_model
from minivess.compliance.pack.recorded_files import LIMIT, read_file, recorded_files
from minivess.compliance.pack.source_tree import source_files
from minivess.compliance.proofs.archive import read_archive, write_archive
from minivess.compliance.proofs.canonical import canonical
from minivess.compliance.release.chain import PREPARED
from minivess.compliance.release.derivation import (
    UNCOMMITTED,
    DerivedRelease,
    Statement,
    derive,
    gates_file,
    policy_file,
)
from minivess.compliance.release.facts import facts_of_release
from minivess.compliance.release.gates import gates_of, outcomes_of, stopping
from minivess.compliance.release.layout import DATA, PayloadManifest, check_made, layout_text
from minivess.compliance.release.lineage_events import RunEvent, expected_event, read_event
from minivess.compliance.rules.log_facts import LogFacts
from minivess.compliance.site.matrix.chains import chains_csv
from minivess.compliance.site.writer import site_files
from minivess.compliance.standards.counted import approvable_in, counted_in
from minivess.compliance.verification.pack_checks.identities import identities_of
from minivess.compliance.verification.pack_checks.log_tables import log_tables
from minivess.compliance.verification.pack_checks.previous_release import CONSISTENCY, PREVIOUS, continued
from minivess.compliance.verification.pack_checks.soup import check_soup
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import InputError, RefusedError, VerificationError
from minivess.foundation.files import read_limited, write_atomic
from minivess.foundation.implements import implements
from minivess.records.device.preparation import LAYOUT, ReleasePrepared
from minivess.records.items.platform_parts import missing_parts
from minivess.records.log.entry import Outcome

INDEX = "index.html"
_ODOMETER, _EVENTS, _SBOM = "evaluation/odometer.json", "lineage/events.jsonl", "bom/sbom.cdx.json"
_GATES, _TEXT = "release/gates.json", "signing-text.txt"
_LOG_FILES: Final = ("entries.jsonl", "details.jsonl", "checkpoint.txt", "identities.json")


@dataclass(frozen=True)
class PreparedPack:
    """Every file of a pack but those of the log, and what the entry that binds them says."""

    dossier: Dossier
    files: Mapping[str, bytes]
    """Content by name relative to `data/`, without `audit/` and `lineage/`."""
    prepared: ReleasePrepared


@dataclass(frozen=True)
class BuiltPack:
    """A pack that was written: the zip, the digest people sign, and how many files it holds."""

    path: Path
    tag_manifest_digest: str
    files: int


@implements("REQ-036", "REQ-040", "REQ-035", "REQ-229", "RC-11")
def prepare_pack(inputs: PackInputs) -> PreparedPack:
    """Make every file of a pack but those of the log, from the log as it is before the preparation.

    Args:
        inputs: what it is made from.

    Raises:
        RefusedError: a gate fails or was not judged, something is missing, or a result is not the one that the entry of the
            chain made, or the bill of materials does not meet its schema; the message names which. Nothing is written.
        InputError: a file of the workspace, the source tree or the templates is malformed.
    """
    _check_gates(inputs)
    dossier = gather(inputs)
    _check_platform(dossier)
    files = payload(dossier)
    for name in sorted(name for name in files if name.endswith(".cdx.json")):
        validate_bom(json.loads(files[name]))
    check_soup({f"{DATA}{name}": content for name, content in files.items()}, inputs.project.device)
    whole = {f"{DATA}{name}": content for name, content in files.items()}
    manifest = PayloadManifest.of(whole)
    prepared = ReleasePrepared(
        layout=LAYOUT,
        device=inputs.project.device,
        tool=inputs.tool,
        chain=inputs.chain.references,
        source=inputs.source_state,
        environment=inputs.lock_digest,
        sbom=digest_bytes(files[_SBOM]),
        manifest=manifest.digest,
        files=manifest.files,
    )
    return PreparedPack(dossier, files, prepared)


@implements("REQ-036", "REQ-040", "REQ-229", "RC-97")
def build_pack(ready: PreparedPack, log: LogFacts, events: bytes, out: Path) -> BuiltPack:
    """Write the pack of a release, without signatures.

    Args:
        ready: its files, and what the last entry of the log must say.
        log: the log that ends with the preparation of this release.
        events: the lineage events of its entries, one a line; others are left out.
        out: the zip to write; by convention `release/<version>/<device>-<version>-evidence.zip`.

    Raises:
        RefusedError: the log grew since the files were made, another release was prepared, or the pack would not hold.
            Nothing is written.
        InputError: an event is malformed.
        CouldNotCheckError: the pack cannot be written.
    """
    inputs = ready.dossier.inputs
    final = log.entries[-1].body
    if log.lines[:-1] != inputs.log.lines or (final.action, final.outcome) != (PREPARED, Outcome.COMPLETED):
        raise RefusedError("the log grew while the pack was made", hint="build the release again")
    device = inputs.project.device
    data = {**ready.files, **log_files(log), _EVENTS: _events_of(log, events)}
    data |= {} if inputs.earlier is None else continued(inputs.earlier, log.lines, log.note)
    bagged = bag(
        {f"{DATA}{name}": content for name, content in data.items()},
        {
            "Bagging-Date": f"{inputs.time:%Y-%m-%d}",
            "Bag-Software-Agent": "MiniVess",
            "Source-Organization": device.manufacturer,
            "External-Identifier": f"{device.name} {device.version}",
            "External-Description": f"Evidence of the release of {device.name} {device.version}",
            **({"MiniVess-Demo": "yes; the keys prove nothing about a real device"} if ready.dossier.demo else {}),
        },
    )
    facts_of_release(log.entries, bagged)
    write_atomic(out, write_archive(bagged))
    return BuiltPack(out, digest_bytes(bagged[TAG_MANIFEST]), len(bagged))


def payload(dossier: Dossier, given: Mapping[str, bytes] = MappingProxyType({})) -> dict[str, bytes]:
    """Every file under `data/` but those of the log, by name relative to it.

    Args:
        dossier: the release.
        given: documents in formats that cannot be made here, by name; they are taken as they are.

    Raises:
        RefusedError: a result is not the one that the entry of the chain made; names it.
    """
    inputs = dossier.inputs
    files = recorded_files(inputs)
    check_made({f"{DATA}{name}": content for name, content in files.items()}, inputs.chain)
    files |= _derived(dossier)
    files |= {f"traceability/{name}": content for name, content in site_files(dossier.trace)}
    files |= evidence_files(dossier)
    files |= {
        **source_files(inputs),
        **plan_files(inputs),
        **item_exports(inputs),
        **log_tables(inputs.log.entries, inputs.log.register),
    }
    files |= _verifier(inputs.templates)
    files |= {} if inputs.uncommitted is None else {UNCOMMITTED.removeprefix(DATA): inputs.uncommitted}
    renderer = renderer_of(inputs)
    difference = difference_for(inputs, files, given)
    files |= {} if difference is None else {CHANGES: _json(difference.model_dump(mode="json"))}
    models = document_models(renderer, dossier, difference)
    pages = html_pages(renderer, dossier, models, inputs.formats)
    check_anomalies_listed(open_anomalies(inputs.tree), pages["release-notes.html"])
    files |= {f"documents/{name}": page.encode("utf-8") for name, page in pages.items()}
    files |= other_formats(renderer, dossier, models, files, given)
    files["documents/croissant.json"] = _json(croissant(card_of(dossier)))
    files["documents/hugging-face-README.md"] = hugging_face_of(dossier).encode("utf-8")
    proofs = (f"audit/proofs/{index}.tlog-proof" for index in inputs.log.proven)
    linked = {*files, *proofs, *(f"audit/{name}" for name in _LOG_FILES), _EVENTS}
    linked |= set() if inputs.earlier is None else {one.removeprefix(DATA) for one in (PREVIOUS, CONSISTENCY)}
    derived = _derive(files, inputs)
    files |= {_GATES: gates_file(derived.outcomes), _TEXT: derived.text}
    linked |= {_GATES, _TEXT}
    files[INDEX] = index_page(renderer, dossier, sorted(linked), derived.text.decode("utf-8")).encode("utf-8")
    files["ro-crate-metadata.json"] = _json(crate(dossier, files))
    return files


@implements("REQ-515", "RC-213")
def check_anomalies_listed(anomalies: Iterable[str], notes: str) -> None:
    """Compare the release notes with the open anomalies (IEC 62304 5.8.2).

    Raises:
        RefusedError: they do not name one.
    """
    missing = [name for name in anomalies if name not in notes]
    if missing:
        raise RefusedError(
            f"the release notes do not name the open anomaly {missing[0]}",
            hint="the template of the release notes has to list each open anomaly",
        )


@implements("REQ-230", "REQ-233")
def _derive(files: Mapping[str, bytes], inputs: PackInputs) -> DerivedRelease:
    """The gates and the signing text that follow from the files of a pack.

    Raises:
        RefusedError: they are not those that were judged before, or do not follow.
    """
    whole = {f"{DATA}{name}": content for name, content in {**files, _EVENTS: inputs.events}.items()}
    statement = Statement(
        inputs.project.device,
        environment=inputs.lock_digest,
        sbom=digest_bytes(files[_SBOM]),
        state=inputs.source_state,
    )
    derived = derive(whole, inputs.chain.known, inputs.chain, statement)
    for judged, found in zip_longest(outcomes_of(inputs.gates), derived.outcomes):
        if judged != found:
            raise RefusedError(
                f"the gate {(found or judged).id} was judged by other files than those of the pack",
                hint="build the release again",
            )
    return derived


@implements("REQ-039")
def _verifier(templates: Path) -> dict[str, bytes]:
    """The verifier that needs nothing but Python, and how to do the same by hand."""
    found = {f"verify/{name}": read_file(templates / "verify" / name) for name in ("verify.py", "VERIFY.md")}
    return {**found, f"verify/layout-{LAYOUT}.json": layout_text().encode("utf-8")}


@implements("REQ-037")
def add_signatures(pack: Path, added: Mapping[str, bytes]) -> None:
    """Put files of signatures and cosignatures into a pack. The archive is written anew, whole or not at all.

    Args:
        pack: the zip.
        added: content by name, each below `signatures/`.

    Raises:
        RefusedError: a signature or its proof is in the pack already.
        InputError: the file is no pack.
        VerificationError: the archive was changed.
    """
    files = _open(pack)
    twice = sorted(name for name in added if name in files and name.endswith((".dsse.json", ".tlog-proof")))
    if twice:
        raise RefusedError(f"the pack has {twice[0]} already", hint="another person signs next")
    write_atomic(pack, write_archive({**files, **added}))


def _check_gates(inputs: PackInputs) -> None:
    judged = [result.id for result in inputs.gates]
    either = [[gate.id for gate in gates_of(inputs.policy, started=started)] for started in (False, True)]
    if judged not in either:
        raise RefusedError("not every gate of the release policy was judged", hint="judge the gates of this policy")
    failing = stopping(inputs.gates, demo=inputs.log.register.demo)
    if failing:
        first = failing[0]
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        raise RefusedError(f"the gate {first.id!r} fails: {first.message}{more}", hint=first.mend)


@implements("REQ-264")
def _check_platform(dossier: Dossier) -> None:
    lacking = missing_parts(dossier.report.parts)
    if lacking:
        raise RefusedError(
            f"the results do not state the platform that they were recorded on: {', '.join(lacking)}",
            hint="run `minivess trace run` again",
        )


def _derived(dossier: Dossier) -> dict[str, bytes]:
    """Files that follow from the log, the source tree and the results."""
    inputs, log = dossier.inputs, dossier.log
    return {
        _ODOMETER: canonical({"openings": log.history.openings}),
        "traceability/chains.csv": chains_csv(dossier.trace).encode("utf-8", "replace"),
        "traceability/junit.xml": junit_xml(dossier.report),
        **bills_of(dossier),
        **signed_model(inputs.workspace),
        "release/policy.json": policy_file(inputs.policy),
        "release/risks.json": canonical(dossier.risks.residual()),
        "release/attested.json": canonical(
            attested_of(
                inputs.tree,
                inputs.coverage,
                inputs.tool,
                dossier.missing,
                reviews=link_reviews(dossier.trace),
                counted=counted_in(inputs.counted_from),
                approvable=approvable_in(inputs.tree),
            )
        ),
        "release/cases.csv": cases_csv(dossier.evaluation).encode("utf-8"),
    }


def log_files(log: LogFacts) -> dict[str, bytes]:
    """The log, from its first entry to the preparation of the release."""
    files = (
        b"".join(line + b"\n" for line in log.lines),
        b"".join((details or b"null") + b"\n" for details in log.details),
        log.note.encode("utf-8"),
        _json(identities_of(log.register, log.checkpoint.origin)),
    )
    proofs = {f"audit/proofs/{index}.tlog-proof": text.encode("utf-8") for index, text in log.proofs.items()}
    return {f"audit/{name}": content for name, content in zip(_LOG_FILES, files, strict=True)} | proofs


@implements("REQ-036", "RC-06")
def _events_of(log: LogFacts, events: bytes) -> bytes:
    """The lineage event of each entry that has a run, in the order of the log.

    Raises:
        RefusedError: an entry has none; names the first.
        InputError: a line is no event.
    """
    delivered = dict(reversed(tuple(_events_by_run(events))))  # of two deliveries the first
    found = []
    for entry in log.entries:
        event = expected_event(entry.body)
        if event is None:
            continue
        line = delivered.get(event)
        if line is None:
            raise RefusedError(
                f"entry {entry.body.index} ({entry.body.action}, {entry.body.outcome.value}) has no lineage event in {_EVENTS}",
                hint="deliver the events that wait in the outbox, then build again",
            )
        found.append(line + b"\n")
    return b"".join(found)


def _events_by_run(events: bytes) -> Iterator[tuple[RunEvent, bytes]]:
    """Each event with its run and type."""
    for number, line in enumerate(events.splitlines(), start=1):
        try:
            event = read_event(line, number)
        except VerificationError:
            event = RunEvent("", "")
        if not event.kind:
            raise InputError("is not an OpenLineage event", path=_EVENTS, line=number)
        yield event, line


def _open(pack: Path) -> dict[str, bytes]:
    return read_archive(read_limited(pack, limit=LIMIT + (1 << 26)))


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return f"{text}\n".encode()
