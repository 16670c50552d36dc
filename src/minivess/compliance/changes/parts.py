"""The parts of a release that are compared: each as things with a title and fields, by id."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel

from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.release.pack_files import export_of, json_of, json_value, record_of, text_of
from minivess.compliance.verification.pack_checks.source_files import LISTING, listed_files
from minivess.foundation.errors import VerificationError
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.split import Part, SplitManifest
from minivess.records.device.gate_outcomes import GateOutcomes
from minivess.records.device.project import Device
from minivess.records.items.kinds import KINDS
from minivess.records.items.trace import ResultReport
from minivess.records.items.trace_data import RiskLevel, TraceItem
from minivess.records.log.payloads.looks import CriteriaRegistered
from minivess.records.models.ensemble import EnsembleRecord
from minivess.records.models.model import CalibrationRecord, RunRecord

_MEMBERS = "data/models/members/"


@dataclass(frozen=True)
class Thing:
    """Something that is compared."""

    title: str
    fields: Mapping[str, str] = field(default_factory=dict)
    """Values by the name of the field."""


Things = Mapping[str, Thing]


class ComparedPart(NamedTuple):
    """A part of the evidence."""

    name: str
    title: str
    read: Callable[[PackedRelease], Things]


def _device(release: PackedRelease) -> Things:
    if release.stated is None:
        raise VerificationError("a pack of layout 1 does not state the device")
    device = release.stated.device
    return {name: Thing(_words(name), {"value": str(getattr(device, name))}) for name in Device.model_fields}


def _items(release: PackedRelease, folder: str) -> Things:
    kinds = {_kind(kind.title) for kind in KINDS if kind.folder == folder}
    return {one.id: Thing(one.title, dict(_item_fields(one))) for one in release.trace.items if one.kind in kinds}


def _kind(title: str) -> str:
    return title.lower().replace(" ", "-")


def _item_fields(item: TraceItem) -> Iterator[tuple[str, str]]:
    yield "title", item.title
    yield "status", item.status
    for text in (*item.text, *item.facts):
        yield text.label, text.value
    if item.standards:
        yield "standards", ", ".join(item.standards)
    for relation in dict.fromkeys(link.relation for link in item.links):
        yield relation, ", ".join(sorted(link.target for link in item.links if link.relation == relation))
    for level in item.levels:
        yield f"{level.stage} risk", _level(level)


def _level(level: RiskLevel) -> str:
    accepted = "acceptable" if level.acceptable else "not acceptable"
    return f"severity {level.severity}, P1 {level.p1}, P2 {level.p2}: {level.level}, {accepted}"


def _results(release: PackedRelease) -> Things:
    report = record_of(release.files, "data/verification/results.json", ResultReport)
    return {
        one.node: Thing(one.name, {"outcome": one.outcome, "verifies": ", ".join(one.ids)}) for one in report.results
    }


def _gates(release: PackedRelease) -> Things:
    outcomes = record_of(release.files, "data/release/gates.json", GateOutcomes).root
    found = {
        f"gate {one.id}": Thing(
            f"Gate {one.id}",
            {
                "limit": f"{one.comparison} {one.limit}",
                "value": one.value or "not known",
                "outcome": "passed" if one.passed else "failed" if one.waived is None else "waived",
            },
        )
        for one in outcomes
    }
    registered = [one.body for one in release.entries if one.body.action == "criteria.register" and one.body.payload]
    if registered:
        plan = CriteriaRegistered.model_validate(registered[-1].payload)
        for criterion in plan.criteria:
            limits = {"at least": criterion.at_least, "at most": criterion.at_most}
            found[f"criterion {criterion.named}"] = Thing(
                f"Criterion {criterion.named}",
                {"limit": ", ".join(f"{name} {value:g}" for name, value in limits.items() if value is not None)},
            )
    return found


def _soup(release: PackedRelease) -> Things:
    rows = csv.DictReader(io.StringIO(text_of(release.files, "data/bom/soup.csv"), newline=""))
    held: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        held.setdefault(row.get("name") or "", []).append(row)
    columns = {"version": "version", "use": "use", "licence": "licence", "fixed_by": "fixed by"}
    return {
        name: Thing(
            name, {shown: ", ".join(sorted({row.get(one) or "" for row in found})) for one, shown in columns.items()}
        )
        for name, found in held.items()
    }


def _data(release: PackedRelease) -> Things:
    manifest = _made(release.files, "data/datasets/manifest.json", DatasetManifest)
    split = _made(release.files, "data/datasets/split.json", SplitManifest)
    parts = {case: part.value for part in Part for case in split.part(part)}
    whole = {"name": manifest.name, "licence": manifest.licence, "source": manifest.source, "root": manifest.root}
    whole |= {"split": split.root, "sealed test set": release.evaluation.data}
    found = {"data set": Thing("Data set", whole)}
    for case in manifest.cases:
        found[f"case {case.id}"] = Thing(
            f"Case {case.id}", {"image": case.image, "mask": case.label, "part": parts.get(case.id, "none")}
        )
    return found


def _model(release: PackedRelease) -> Things:
    export = export_of(release.files)
    ensemble = _made(release.files, "data/models/ensemble.json", EnsembleRecord)
    calibration = _made(release.files, "data/models/calibration.json", CalibrationRecord)
    held = {"graph": export.onnx, "task": export.task.words, "preprocessing": export.preprocessing.words}
    held |= {"network": _flat(ensemble.model), "combination": ensemble.rule}
    if export.model is not None:
        rule, threshold = export.model.decision.rule, export.model.decision.threshold
        held["decision"] = rule if threshold is None else f"{rule} {threshold:g}"
        held["images within"] = _flat(export.model.intended_use)
    found = {"model": Thing("Exported model", held)}
    found["calibration"] = Thing(
        "Calibration",
        {
            "method": calibration.method,
            "temperature": f"{calibration.temperature:.6g}",
            "target recall": f"{calibration.target_recall:g}",
            "cases": ", ".join(calibration.cases),
            **({} if calibration.threshold is None else {"threshold": f"{calibration.threshold:g}"}),
            **{f"threshold of {name}": str(one.threshold) for name, one in calibration.classes.items()},
        },
    )
    for name in sorted(name for name in release.files if name.startswith(_MEMBERS)):
        run = _made(release.files, name, RunRecord)
        found[f"member of seed {run.seed}"] = Thing(
            f"Member of seed {run.seed}",
            {
                "weights": run.weights,
                "training data": run.data,
                "network": _flat(run.model),
                "training": _flat(run.training),
            },
        )
    return found


def _code(release: PackedRelease) -> Things:
    if release.stated is None:
        raise VerificationError("a pack of layout 1 does not state the source tree")
    source, tool = release.stated.source, release.stated.tool
    changes = f"{source.changes} uncommitted" if source.changes else "none uncommitted"
    found = {
        "source tree": Thing(
            "Source tree", {"commit": source.commit or "none", "tree": source.tree, "changes": changes}
        ),
        "lock file": Thing("Lock file", {"digest": release.stated.environment}),
        "build": Thing("Made by", {"program": f"{tool.name} {tool.version}"}),
    }
    if LISTING in release.files:
        listed = listed_files(release.files[LISTING])
        found |= {f"file {name}": Thing(name, {"digest": f"sha256:{digest}"}) for name, digest in listed.items()}
    places: dict[str, set[str]] = {}
    for item in release.trace.items:
        for place in item.code:
            places.setdefault(place.name, set()).add(item.id)
    return found | {name: Thing(name, {"implements": ", ".join(sorted(ids))}) for name, ids in sorted(places.items())}


def _people(release: PackedRelease) -> Things:
    if release.identities is None:
        raise VerificationError("the pack has no list of people")
    held = json_value(release.identities, "data/audit/identities.json")
    found: dict[str, Thing] = {}
    try:
        for one in held["identities"]:
            person, until = one["identity"], one["until"]
            key = person["signing_key"]["key_id"]
            found[f"{person['id']}, key {key[:12]}"] = Thing(
                person["name"],
                {
                    "roles": ", ".join(person["roles"]),
                    "kind": person["kind"],
                    "counts": "now" if until is None else f"up to entry {until - 1}",
                },
            )
    except (KeyError, TypeError):
        raise VerificationError("data/audit/identities.json has an identity without its fields") from None
    return found


def _made[R: BaseModel](files: Mapping[str, bytes], name: str, kind: type[R]) -> R:
    """A record as a step of the pipeline wrote it."""
    json_of(files, name)
    return parse_json_record(files[name], kind, path=name)


def _flat(value: BaseModel | Mapping[str, Any]) -> str:
    """A record as one line."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)[1:-1].replace('"', "")


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


PARTS: tuple[ComparedPart, ...] = (
    ComparedPart("device", "Device", _device),
    ComparedPart(
        "requirements", "Requirements, architecture and anomalies", lambda release: _items(release, "requirements")
    ),
    ComparedPart("risks", "Risks", lambda release: _items(release, "risk")),
    ComparedPart("results", "Test results", _results),
    ComparedPart("gates", "Gates and acceptance criteria", _gates),
    ComparedPart("model", "Model", _model),
    ComparedPart("data", "Data", _data),
    ComparedPart("code", "Code", _code),
    ComparedPart("soup", "SOUP", _soup),
    ComparedPart("people", "People", _people),
)
"""Every part that is compared, in the order of reports."""


def part_of(name: str, release: PackedRelease) -> Things:
    """One part of a release.

    Raises:
        MinivessError: the pack does not have it, or has it malformed.
        KeyError: there is no part of this name.
    """
    return {one.name: one.read for one in PARTS}[name](release)
