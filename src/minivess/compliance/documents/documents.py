"""The documents of a pack: each a page of its own, rendered from a template and from nothing but the dossier."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from minivess.compliance.documents.chains import chains
from minivess.compliance.documents.data_card import data_card
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.documents.hugging_face import hugging_face_card
from minivess.compliance.documents.log_story import RESULTS
from minivess.compliance.documents.model_card import CardSources, ModelCard, model_card
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.seed_spread import seed_spread
from minivess.compliance.site.signatures import model_of
from minivess.compliance.site.view import by_relation
from minivess.foundation.implements import implements
from minivess.records.data.card import DataCard
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.items.risk_items import FACTOR_WORDS, story
from minivess.records.items.trace_data import LabelledText, TraceItem


@dataclass(frozen=True)
class Document:
    """One document: its file name (and template, with `.j2`), its title, and what it is for in one sentence."""

    name: str
    title: str
    about: str


DOCUMENTS = (
    Document(
        "release-notes.html",
        "Release notes and signatures",
        "The released version, its known limits and anomalies, and its signatures.",
    ),
    Document(
        "requirements.html",
        "Software requirements specification",
        "Each requirement, its reason, and its verification.",
    ),
    Document(
        "risk-management.html",
        "Risk management file",
        "Hazards, their estimated risks before and after control, and whether the residual risks are acceptable.",
    ),
    Document(
        "traceability.html",
        "Traceability matrix",
        "Every chain from hazard over risk, control and requirement to scenario, result, code, model and log entry.",
    ),
    Document(
        "verification-report.html",
        "Software verification report",
        "The scenarios that were run, the tested version, the tester, and the outcomes.",
    ),
    Document(
        "model-card.html",
        "Model card",
        "The model, its training and calibration, and its performance on unseen subjects.",
    ),
    Document(
        "data-card.html",
        "Data card",
        "The origin of the data, their validation and split, and the sealing of the test part.",
    ),
    Document(
        "soup.html",
        "SOUP list",
        "Third-party software in the device and for its development, with version, purpose and licence.",
    ),
)


@implements("REQ-041")
def documents(renderer: Renderer, dossier: Dossier) -> dict[str, str]:
    """Render every document, by file name.

    Raises:
        InputError: a template is missing or malformed.
    """
    facts = common_facts(dossier) | _facts(dossier)
    return {item.name: renderer.render(f"{item.name}.j2", {**facts, "document": item}) for item in DOCUMENTS}


def common_facts(dossier: Dossier) -> dict[str, Any]:
    """What every page may name."""
    return {
        "device": dossier.project.device,
        "project": dossier.project,
        "demo": dossier.demo,
        "time": dossier.inputs.time,
        "commit": dossier.inputs.commit,
        "dirty": dossier.inputs.dirty,
        "all_documents": DOCUMENTS,
        "head": dossier.log.checkpoint,
    }


def _facts(dossier: Dossier) -> dict[str, Any]:
    parts = {part.value: _part(dossier, part) for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST)}
    outcomes = Counter(result.outcome for result in dossier.report.results)
    return {
        "dossier": dossier,
        "trace": dossier.trace.trace,
        "needs": _items(dossier, "user-need"),
        "requirements": [*_items(dossier, "system-requirement"), *_items(dossier, "software-requirement")],
        "controls": _items(dossier, "risk-control"),
        "anomalies": [one.item for one in _items(dossier, "anomaly") if _OPEN in one.item.facts],
        "risks": _risks(dossier),
        "factor_words": FACTOR_WORDS,
        "chains": chains(dossier.trace),
        "model": model_of(dossier.trace.trace),
        "evaluation": dossier.evaluation,
        "calibration": dossier.calibration,
        "export": dossier.export,
        "runs": dossier.runs,
        "spread": seed_spread(dossier.runs),
        "manifest": dossier.manifest,
        "validation": dossier.validation,
        "sealed": dossier.sealed,
        "split": dossier.split,
        "parts": parts,
        "card": card_of(dossier),
        "model_card": model_card_of(dossier),
        "pictures": (),
        "standalone": False,
        "report": dossier.report,
        "outcomes": {name: outcomes[name] for name in ("passed", "failed", "skipped")},
        "risk_file": dossier.risks,
        "risk_matrix": dossier.risks.matrix(),
        "soup": dossier.soup,
        "soup_lock": dossier.lock,
        "soup_uses": Counter(item.use.value for item in dossier.soup),
        "gates": dossier.inputs.gates,
        "policy": dossier.inputs.policy,
        "history": dossier.log.history,
        "entries": dossier.log.entries,
        "people": dossier.log.people,
        "results_entry": dossier.log.last(*RESULTS),
    }


_OPEN = LabelledText(label="Status", value="open")


@dataclass(frozen=True)
class Shown:
    """An item of the trace with its links both ways."""

    item: TraceItem
    up: tuple[tuple[str, tuple[str, ...]], ...]
    """The words of each relation with the ids at its other ends."""
    down: tuple[tuple[str, tuple[str, ...]], ...]
    """As `up`, for what shows that it is met."""


def _items(dossier: Dossier, kind: str) -> list[Shown]:
    view = dossier.trace
    return [
        Shown(item, by_relation(view.up[item.id]), by_relation(view.down[item.id]))
        for item in view.items
        if item.kind == kind
    ]


def _risks(dossier: Dossier) -> list[dict[str, Any]]:
    """Each risk with its story and what the plan makes of its estimates."""
    return [
        {"risk": risk, "judged": dossier.risks.verdict(risk), **story(risk, dossier.risks.items)}
        for risk in dossier.risks.risks
    ]


def card_of(dossier: Dossier) -> DataCard:
    """The data card of the release, without pictures."""
    return data_card(
        dossier.project.data,
        dossier.manifest,
        dossier.validation,
        dossier.split,
        sealed=dossier.sealed,
        history=dossier.log.history,
    )


def model_card_of(dossier: Dossier) -> ModelCard:
    """The model card of the release."""
    return model_card(
        CardSources(
            project=dossier.project,
            export=dossier.export,
            runs=dossier.runs,
            calibration=dossier.calibration,
            evaluation=dossier.evaluation,
            data=card_of(dossier),
            chain=dossier.inputs.chain,
            soup=dossier.soup,
        )
    )


def hugging_face_of(dossier: Dossier) -> str:
    """The model card of the release for Hugging Face."""
    card, device = model_card_of(dossier), dossier.project.device
    return hugging_face_card(card, device, dossier.export, dossier.evaluation, card_of(dossier), demo=dossier.demo)


def _part(dossier: Dossier, part: Part) -> dict[str, int]:
    names = set(dossier.split.part(part))
    cases = [case for case in dossier.manifest.cases if case.id in names]
    groups = groups_of(dossier.manifest, dossier.split)
    return {
        "cases": len(cases),
        "subjects": len({case.subject for case in cases}),
        "groups": len({groups[case.id] for case in cases}),
    }
