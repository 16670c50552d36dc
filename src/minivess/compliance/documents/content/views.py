"""What the templates of documents show in tables: parts of the trace, licences, documents, approvals, pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from minivess.compliance.changes.change_plan_file import load_change_plan
from minivess.compliance.documents.content.acts import approval_of, day_of, name_of
from minivess.compliance.documents.content.facts import OPEN
from minivess.compliance.documents.content.shown_items import items_of_kind
from minivess.compliance.documents.content.title_blocks import document_id
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.standards.approved_subjects import APPROVED
from minivess.compliance.standards.filing import FilingDocument, filing, missing_chapters
from minivess.foundation.implements import implements
from minivess.records.changes.difference import ReleaseDifference
from minivess.records.items.items import ChangeRequest
from minivess.records.items.trace_data import LabelledText, TraceItem

SECURITY = LabelledText(label="Category", value="security")
"""How the trace shows a requirement about security."""
CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "overlay": "Best and worst case: the mask over the image, with missed and added voxels.",
        "reliability": (
            "Reliability: how often voxels of a given probability are vessel. "
            "On the diagonal, the probabilities are calibrated."
        ),
        "measures": "Every case of the sealed test set, with the tuned intensity threshold beside it.",
    }
)
"""The captions of the pictures of an evaluation, by the name of the file, in the order in which they are shown."""
_LIMIT_OF_APPROVALS = 200


@dataclass(frozen=True)
class ListedDocument:
    """A document in the table of documents."""

    id: str
    name: str
    title: str
    owed_by: str
    path: str
    missing: tuple[str, ...]
    approval: str


@dataclass(frozen=True)
class ListedApproval:
    """A signature in the log that is about no single link."""

    entry: int
    person: str
    day: str
    meaning: str
    about: str
    out_of_date: str


@dataclass(frozen=True)
class ListedPicture:
    """A picture of the evaluation, as a document in `documents/` refers to it."""

    path: str
    caption: str


@implements("REQ-503")
def views_of(dossier: Dossier) -> dict[str, Any]:
    """What templates may name beside the facts."""
    methods = Counter(_value(one, "Verification") for one in dossier.trace.items if one.kind.endswith("-requirement"))
    requirements = [*items_of_kind(dossier, "system-requirement"), *items_of_kind(dossier, "software-requirement")]
    return {
        "software_items": items_of_kind(dossier, "software-item"),
        "units": items_of_kind(dossier, "software-unit"),
        "threats": items_of_kind(dossier, "threat"),
        "open_anomalies": [one for one in items_of_kind(dossier, "anomaly") if OPEN in one.item.facts],
        "security": [one for one in requirements if SECURITY in one.item.facts],
        "verification_methods": sorted(methods.items()),
        "licences": sorted(Counter(one.licence or "not stated" for one in dossier.soup).items()),
        "changes": list(dossier.inputs.tree.items.of(ChangeRequest).values()),
        "document_table": [_listed(dossier, one) for one in filing()],
        "approvals": _approvals(dossier),
        "evaluation_figures": _pictures(dossier),
        "change_plan": load_change_plan(dossier.inputs.source),
        "qualified": _qualified(dossier),
    }


def _qualified(dossier: Dossier) -> bool:
    """Whether the pack has the report of a qualification of the software that made it."""
    body = dossier.inputs.chain.bodies.get("qualification")
    return body is not None and any(one.name == "evidence/qualification/report.html" for one in body.outputs)


@dataclass(frozen=True)
class SoupChanges:
    """What of the SOUP is new, changed or gone since the release before."""

    version: str
    """Of the release before."""
    words: Mapping[str, str]
    """By the name of the software: `new`, `was` with what it was before, or `removed`."""

    def of(self, name: str) -> str:
        """What changed of a row."""
        return self.words.get(name, "unchanged")

    @property
    def removed(self) -> tuple[str, ...]:
        """What ships no longer."""
        return tuple(sorted(name for name, words in self.words.items() if words == _REMOVED))


_REMOVED = "removed"


@implements("REQ-535")
def soup_changes(difference: ReleaseDifference | None) -> SoupChanges | None:
    """The changes of what ships; None where there is no release before, or its SOUP list could not be compared."""
    if difference is None:
        return None
    section = next((one for one in difference.sections if one.name == "soup"), None)
    if section is None or section.not_compared is not None:
        return None
    words = {
        one.id: {
            "added": "new",
            "removed": _REMOVED,
            "changed": "was " + ", ".join(f"{field.field} {field.old or 'none'}" for field in one.fields),
        }[one.kind]
        for one in section.changes
    }
    return SoupChanges(difference.old.version, words)


def _value(item: TraceItem, label: str) -> str:
    return next((one.value for one in item.facts if one.label == label), "not stated")


def _listed(dossier: Dossier, document: FilingDocument) -> ListedDocument:
    missing = [one for one in missing_chapters(dossier.inputs.source) if one.document == document]
    held = [(subject, approval_of(dossier, subject)) for subject in document.subjects]
    said = [
        f"{subject}: "
        + (
            "none"
            if one is None
            else f"{name_of(dossier, one.actor)}, entry {one.entry}{', no longer counts' if one.out_of_date else ''}"
        )
        for subject, one in held
    ]
    return ListedDocument(
        id=document_id(dossier, document),
        name=document.name,
        title=document.title,
        owed_by=document.owed_by,
        path=document.path,
        missing=tuple(one.chapter or "the text" for one in missing),
        approval="; ".join(said) or "with the release",
    )


def _approvals(dossier: Dossier) -> list[ListedApproval]:
    """Approvals, attestations and baselines, the latest first."""
    kinds = {APPROVED, "attested", "baseline"}
    found = [one for one in dossier.inputs.story.signatures if one.meaning in kinds]
    return [
        ListedApproval(
            one.entry,
            name_of(dossier, one.actor),
            day_of(one.time),
            one.meaning,
            one.about or one.item,
            one.out_of_date,
        )
        for one in found[::-1][:_LIMIT_OF_APPROVALS]
    ]


def _pictures(dossier: Dossier) -> list[ListedPicture]:
    folder = dossier.inputs.workspace.evaluation / "figures"
    names = [path.name for path in folder.glob("*") if path.suffix in {".png", ".svg"} and path.is_file()]
    order = {stem: number for number, stem in enumerate(CAPTIONS)}
    shown = sorted(names, key=lambda name: (order.get(_stem(name), len(order)), name))
    return [ListedPicture(f"../evaluation/figures/{name}", caption_of(name)) for name in shown]


def caption_of(name: str) -> str:
    """The caption of a picture of an evaluation, by its file name."""
    stem = _stem(name)
    return CAPTIONS.get(stem, stem.replace("_", " ").replace("-", " "))


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
