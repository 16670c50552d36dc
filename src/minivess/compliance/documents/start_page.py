"""The start page of a pack: the verdict first, then what it rests on, down to a line of code. Works from `file://`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minivess.compliance.documents.content.odometer import odometer_sentence
from minivess.compliance.documents.content.pack_contents import carried
from minivess.compliance.documents.content.views import CAPTIONS, caption_of
from minivess.compliance.documents.documents import DOCUMENTS, common_facts
from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.documents.formats.made import FORMATS
from minivess.compliance.documents.log_story import RESULTS
from minivess.compliance.documents.rendering import Renderer
from minivess.compliance.documents.start.open_points import open_points
from minivess.compliance.identity.signature_rules import signatures_of_release
from minivess.compliance.release.gates import gates_of
from minivess.compliance.site.signatures import model_of
from minivess.foundation.clock import timestamp
from minivess.foundation.implements import implements
from minivess.records.device.release_policy import MetricGate
from minivess.records.evaluation.measures import DICE
from minivess.records.people.identity import Identity


@dataclass(frozen=True)
class KeyFigure:
    """A measure as the page draws it: figures, and places on a scale in per cent of its width."""

    name: str
    mean: float
    interval: str
    basis: str
    """Method, groups, cases, nominal and simulated coverage."""
    digits: int
    better: str
    place: float
    span: tuple[float, float]
    limit: float | None = None
    limit_place: float | None = None
    baseline: float | None = None
    baseline_place: float | None = None
    ends: tuple[str, str] = ("0", "1")


@dataclass(frozen=True)
class Signatory:
    """A signature the policy asks for, and who may give it."""

    role: str
    meaning: str
    people: tuple[Identity, ...]


@dataclass(frozen=True)
class ShownWaiver:
    """A signed exception from the limit of a gate."""

    gate: str
    reason: str
    who: str
    """Who signed it, and at which entry."""
    until: str


@implements("REQ-041", "REQ-218", "REQ-513", "REQ-514")
def index_page(renderer: Renderer, dossier: Dossier, files: Sequence[str], text: str) -> str:
    """Render `index.html`.

    Args:
        renderer: the templates.
        dossier: the release.
        files: names under `data/` that the page may link to.
        text: the signing text.

    Raises:
        InputError: a template is missing or malformed.
    """
    counts = Counter(item.kind for item in dossier.trace.items)
    facts: dict[str, Any] = {
        **common_facts(dossier),
        "gates": dossier.inputs.gates,
        "failing": dossier.failing,
        "not_releasable": dossier.not_releasable,
        "signing_text": text,
        "key_figures": key_figures(dossier),
        "evaluation": dossier.evaluation,
        "calibration": dossier.calibration,
        "openings": dossier.log.history.opened,
        "odometer": odometer_sentence(dossier),
        "signatories": signatories(dossier),
        "open": open_points(dossier),
        "waivers": shown_waivers(dossier),
        "reasons": {gate.id: gate.reason for gate in gates_of(dossier.inputs.policy, started=True)},
        "figures": _figures(files),
        "documents": DOCUMENTS,
        "folders": _folders(files),
        "carried": carried(files, dossier.report, dossier.coverage),
        "trace": dossier.trace.trace,
        "counts": [(counts[kind], title, several) for kind, (title, several) in dossier.trace.kinds.items()],
        "results_entry": dossier.log.last(*RESULTS),
        "model": model_of(dossier.trace.trace),
        "entries": len(dossier.log.entries),
        "missing": len(dossier.missing),
        "formats": [FORMATS[one].title for one in dossier.inputs.formats],
        "asked": None if dossier.project.documents is None else dossier.project.documents.formats,
    }
    return renderer.render("index.html.j2", facts)


@implements("REQ-552")
def shown_waivers(dossier: Dossier) -> tuple[ShownWaiver, ...]:
    """The waiver of each gate that fails and is waived."""
    found = [(gate.id, gate.waived) for gate in dossier.inputs.gates if gate.waived is not None]
    return tuple(
        ShownWaiver(
            gate=name,
            reason=f"{one.reason} ({one.risk}; owner {one.owner})",
            who=f"{one.signer} (entry {one.entry})",
            until=timestamp(one.until)[:10],
        )
        for name, one in found
    )


def key_figures(dossier: Dossier) -> tuple[KeyFigure, ...]:
    """Each measure of each class with its interval, its limit and, for Dice, the baseline."""
    limits = {
        (gate.measure, gate.of_class): gate.at_least if gate.at_least is not None else gate.at_most
        for gate in dossier.inputs.policy.gates
        if isinstance(gate, MetricGate) and gate.statistic == "mean"
    }
    found = []
    unit = dossier.evaluation.unit
    held = [
        (of_class, figures, measure, interval)
        for measure in dossier.evaluation.measures
        for of_class, figures in dossier.evaluation.by_class.items()
        if (interval := figures.aggregates.get(measure.name)) is not None
    ]
    for of_class, figures, measure, interval in held:
        name, digits = measure.name, measure.digits_in(unit)
        ends = [end for end in (interval.lower, interval.upper) if end is not None] or [interval.mean]
        limit = limits.get((name, of_class), limits.get((name, None)))
        top = measure.largest or max(*ends, interval.mean, limit or 0.0, 1e-9) * 1.15
        baseline = figures.baseline.mean if name == DICE else None
        found.append(
            KeyFigure(
                name=measure.heading(unit) if of_class is None else f"{measure.heading(unit)}, {of_class}",
                mean=interval.mean,
                interval=interval.words(digits),
                basis=interval.basis,
                digits=digits,
                better=measure.direction,
                place=_place(interval.mean, top),
                span=(_place(min(ends), top), _place(max(ends), top)),
                limit=limit,
                limit_place=None if limit is None else _place(limit, top),
                baseline=baseline,
                baseline_place=None if baseline is None else _place(baseline, top),
                ends=("0", f"{top:.0f}" if top >= 1 else f"{top:.2g}"),
            )
        )
    return tuple(found)


def signatories(dossier: Dossier) -> tuple[Signatory, ...]:
    """The signatures that the policy and the built-in rules require."""
    return tuple(
        Signatory(
            role=rule.role.value.replace("-", " "),
            meaning=rule.meaning.value,
            people=tuple(person for person in dossier.log.people if rule.role in person.roles),
        )
        for rule in (one.rule for one in signatures_of_release(dossier.inputs.policy.signatures.rules))
    )


def _place(value: float, top: float) -> float:
    return round(100 * min(max(value / top, 0.0), 1.0), 2)


def _figures(files: Sequence[str]) -> list[dict[str, str]]:
    captions = list(CAPTIONS.values())
    found = [{"path": name, "caption": caption_of(name)} for name in files if name.startswith("evaluation/figures/")]
    return sorted(found, key=lambda item: captions.index(item["caption"]) if item["caption"] in captions else 9)


def _folders(files: Sequence[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for name in files:
        folder = name.rsplit("/", 1)[0] if "/" in name else ""
        folders.setdefault(folder, []).append(name)
    return {name: folders[name] for name in sorted(folders)}
