"""What a plan of changes fixes and allows, as two packs show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from minivess.compliance.changes.packed_release import PackedRelease
from minivess.compliance.changes.parts import Things, part_of
from minivess.compliance.release.pack_files import export_of, text_of
from minivess.foundation.errors import VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.reading.json_records import parse_json_record
from minivess.records.changes.change_plan import FixedFact, ModificationKind
from minivess.records.device.project import Device
from minivess.records.log.payloads.looks import CriteriaRegistered
from minivess.records.models.ensemble import EnsembleRecord


def _device(release: PackedRelease) -> Device:
    if release.stated is None:
        raise VerificationError("a pack of layout 1 does not state the device")
    return release.stated.device


def _ensemble(release: PackedRelease) -> EnsembleRecord:
    name = "data/models/ensemble.json"
    return parse_json_record(text_of(release.files, name), EnsembleRecord, path=name)


def _network(release: PackedRelease) -> str:
    return _ensemble(release).model.model_dump_json()


def _criteria(release: PackedRelease) -> str:
    said = [one.body.payload for one in release.entries if one.body.action == "criteria.register" and one.body.payload]
    if not said:
        raise VerificationError("the log registers no acceptance criteria")
    return CriteriaRegistered.model_validate(said[-1]).model_dump_json(include={"criteria"})


FIXED: Mapping[FixedFact, Callable[[PackedRelease], str]] = MappingProxyType(
    {
        "device": lambda release: f"{_device(release).name} by {_device(release).manufacturer}",
        "intended-use": lambda release: _device(release).intended_use,
        "safety-class": lambda release: _device(release).safety_class,
        "classes": lambda release: ", ".join(
            f"{one.value} {one.name}" for one in export_of(release.files).task.classes
        ),
        "inputs": lambda release: (
            f"{export_of(release.files).task.channels} channels, {export_of(release.files).task.axes}"
        ),
        "architecture": lambda release: str(_ensemble(release).model.architecture),
        "network": _network,
        "preprocessing": lambda release: export_of(release.files).preprocessing.words,
        "combination": lambda release: _ensemble(release).rule,
        "sealed-test-set": lambda release: release.evaluation.data,
        "acceptance-criteria": _criteria,
        "release-gates": lambda release: text_of(release.files, "data/release/policy.json"),
    }
)
"""How each fact that a plan can fix is read from a pack."""


@implements("REQ-580")
def modifications_between(old: PackedRelease, new: PackedRelease) -> dict[ModificationKind, str]:
    """The kinds of modification that two packs show, each with what it was found by.

    Raises:
        MinivessError: a file of the model, the data or the code is missing or malformed in one of the packs.
    """
    models = part_of("model", old), part_of("model", new)
    members = tuple(_members(one) for one in models)
    found: dict[ModificationKind, str] = {}
    parts = tuple(_parts(part_of("data", one)) for one in (old, new))
    if moved := sorted(case for case in {*parts[0], *parts[1]} if parts[0].get(case) != parts[1].get(case)):
        found["new-training-data"] = f"{len(moved)} cases differ, first {moved[0]}"
    if members[0].keys() != members[1].keys():
        found["members"] = f"{len(members[0])} members before, {len(members[1])} now"
    shared = sorted(members[0].keys() & members[1].keys())
    for kind, fields in (("retraining", ("weights", "network", "training data")), ("training-settings", ("training",))):
        differing = [
            name for name in shared if any(members[0][name].get(one) != members[1][name].get(one) for one in fields)
        ]
        if differing:
            found[kind] = ", ".join(differing)  # type: ignore[index]  # both are kinds
    if not shared and members[0] != members[1]:
        found["retraining"] = "no member of before is in the model"
    if models[0]["calibration"] != models[1]["calibration"]:
        found["calibration"] = _first_field(models, "calibration")
    decisions = [one["model"].fields.get("decision") for one in models]
    if decisions[0] != decisions[1]:
        found["decision"] = f"{decisions[0]} before, {decisions[1]} now"
    graphs = [one["model"].fields.get("graph") for one in models]
    if graphs[0] != graphs[1] and not found:
        found["retraining"] = "the exported graph differs"
    if software := [
        name for name in ("requirements", "risks", "soup", "code") if part_of(name, old) != part_of(name, new)
    ]:
        found["software"] = ", ".join(software)
    return found


def _members(things: Things) -> dict[str, Mapping[str, str]]:
    return {name: one.fields for name, one in things.items() if name.startswith("member of seed ")}


def _parts(things: Things) -> dict[str, tuple[str, ...]]:
    """Of each case its part and digests, the test part left out: it is judged as sealed data."""
    held = {name.removeprefix("case "): one.fields for name, one in things.items() if name.startswith("case ")}
    return {name: tuple(one.values()) for name, one in held.items() if one["part"] != "test"}


def _first_field(models: tuple[Things, Things], name: str) -> str:
    before, after = (one[name].fields for one in models)
    field = next(one for one in {**before, **after} if before.get(one) != after.get(one))
    return f"{field}: {before.get(field)} before, {after.get(field)} now"
