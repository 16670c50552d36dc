"""Facts by name: what a template may state of a release.

Each fact is computed from the dossier. `{{ fact("results.passed") }}` shows it, `{{ fact("results.count", "result") }}` with its
noun, and `{% if known("results.failed") %}` asks for its value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from minivess.compliance.documents.dossier import Dossier
from minivess.compliance.site.matrix.chains import chains
from minivess.compliance.standards.filing import missing_chapters
from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.items.trace_data import LabelledText

Value = str | int | float
NOT_STATED = "not stated in the project file"
OPEN = LabelledText(label="Status", value="open")
"""How the trace shows that a problem is open."""


def _count(kind: str) -> Callable[[Dossier], Value]:
    return lambda dossier: sum(item.kind == kind for item in dossier.trace.items)


def _results(outcome: str) -> Callable[[Dossier], Value]:
    return lambda dossier: sum(one.outcome == outcome for one in dossier.report.results)


def _part(part: Part, what: str) -> Callable[[Dossier], Value]:
    def compute(dossier: Dossier) -> Value:
        names = set(dossier.split.part(part))
        cases = [case for case in dossier.manifest.cases if case.id in names]
        groups = groups_of(dossier.manifest, dossier.split)
        counts = {
            "cases": len(cases),
            "subjects": len({case.subject for case in cases}),
            "groups": len({groups[case.id] for case in cases}),
        }
        return counts[what]

    return compute


def _states(dossier: Dossier) -> Value:
    counts = Counter(one.status for one in dossier.trace.items if one.kind.endswith("-requirement"))
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items())) or "none"


def _commit(dossier: Dossier) -> Value:
    inputs = dossier.inputs
    if not inputs.commit:
        return "not under git"
    return f"{inputs.commit}{', with uncommitted changes' if inputs.dirty else ''}"


def _controls_verified(dossier: Dossier) -> Value:
    return sum(one.kind == "risk-control" and one.status == "passed" for one in dossier.trace.items)


def _unacceptable(dossier: Dossier) -> Value:
    return sum(dossier.risks.verdict(risk).verdict != "acceptable" for risk in dossier.risks.risks)


def _levels(dossier: Dossier) -> Value:
    return ", ".join(f"{name} {number}" for name, number in dossier.risks.overall().residual.items())


def _gates(*, passed: bool) -> Callable[[Dossier], Value]:
    return lambda dossier: sum(gate.passed is passed for gate in dossier.inputs.gates)


def _severity(stage: str) -> Callable[[Dossier], Value]:
    def compute(dossier: Dossier) -> Value:
        steps = [getattr(risk, stage).severity for risk in dossier.risks.risks]
        if not steps:
            return "no risk is estimated"
        return f"{max(steps)} ({dossier.risks.plan.severity[max(steps) - 1].word})"

    return compute


def _serious_from(dossier: Dossier) -> Value:
    step = dossier.risks.plan.serious_from
    return "not stated" if step is None else f"{step} ({dossier.risks.plan.severity[step - 1].word})"


def _tests_of(*kinds: str) -> Callable[[Dossier], Value]:
    return lambda dossier: len({test.name for one in dossier.trace.items if one.kind in kinds for test in one.tests})


def _scenarios(dossier: Dossier) -> Value:
    return len({(row.path, row.name) for one in dossier.trace.items for row in one.scenarios})


def _shared_groups(dossier: Dossier) -> Value:
    """Independent groups with cases in more than one part."""
    groups = groups_of(dossier.manifest, dossier.split)
    parts: dict[str, set[str]] = {}
    for part in Part:
        for case in dossier.split.part(part):
            parts.setdefault(str(groups[case]), set()).add(part.value)
    return sum(len(found) > 1 for found in parts.values())


def _clauses(status: str) -> Callable[[Dossier], Value]:
    return lambda dossier: sum(row.status == status for row in dossier.inputs.coverage)


def _stated(name: str) -> Callable[[Dossier], Value]:
    def compute(dossier: Dossier) -> Value:
        facts = dossier.project.documents
        return (None if facts is None else getattr(facts, name)) or NOT_STATED

    return compute


FACTS: Mapping[str, Callable[[Dossier], Value]] = MappingProxyType(
    {
        "device.name": lambda dossier: dossier.project.device.name,
        "device.version": lambda dossier: dossier.project.device.version,
        "device.manufacturer": lambda dossier: dossier.project.device.manufacturer,
        "device.class": lambda dossier: dossier.project.device.safety_class,
        "device.intended-use": lambda dossier: dossier.project.device.intended_use,
        "device.udi-di": _stated("udi_di"),
        "device.basic-udi-di": _stated("basic_udi_di"),
        "device.contact": _stated("contact"),
        "release.commit": _commit,
        "release.tree": lambda dossier: dossier.report.tree,
        "release.environment": lambda dossier: dossier.inputs.lock_digest,
        "release.day": lambda dossier: f"{dossier.inputs.time:%Y-%m-%d}",
        "tool.name": lambda dossier: dossier.inputs.tool.name,
        "tool.version": lambda dossier: dossier.inputs.tool.version,
        "log.origin": lambda dossier: dossier.log.checkpoint.origin,
        "log.size": lambda dossier: dossier.log.checkpoint.size,
        "needs.count": _count("user-need"),
        "requirements.count": lambda dossier: sum(one.kind.endswith("-requirement") for one in dossier.trace.items),
        "requirements.states": _states,
        "software-items.count": _count("software-item"),
        "units.count": _count("software-unit"),
        "risks.count": lambda dossier: len(dossier.risks.risks),
        "risks.unacceptable": _unacceptable,
        "risks.levels": _levels,
        "risks.severity-before": _severity("initial"),
        "risks.severity-after": _severity("residual"),
        "risks.serious-from": _serious_from,
        "plan.unit-tests": _tests_of("software-unit"),
        "plan.integration-tests": _tests_of("software-item", "software-requirement", "system-requirement"),
        "plan.scenarios": _scenarios,
        "split.shared-groups": _shared_groups,
        "controls.count": _count("risk-control"),
        "controls.verified": _controls_verified,
        "threats.count": _count("threat"),
        "hazards.count": _count("hazard"),
        "field-counts.count": _count("field-count"),
        "anomalies.count": _count("anomaly"),
        "anomalies.open": lambda dossier: sum(
            one.kind == "anomaly" and OPEN in one.facts for one in dossier.trace.items
        ),
        "changes.count": _count("change-request"),
        "chains.count": lambda dossier: len(chains(dossier.trace)),
        "gaps.open": lambda dossier: dossier.trace.trace.verdict.gaps,
        "gaps.justified": lambda dossier: dossier.trace.trace.verdict.justified,
        "suspects.count": lambda dossier: dossier.trace.trace.verdict.suspects,
        "results.count": lambda dossier: len(dossier.report.results),
        "results.passed": _results("passed"),
        "results.failed": _results("failed"),
        "results.skipped": _results("skipped"),
        "results.scenarios": lambda dossier: sum(one.scenario is not None for one in dossier.report.results),
        "results.tests": lambda dossier: sum(one.scenario is None for one in dossier.report.results),
        "results.platform": lambda dossier: dossier.report.platform,
        "results.drilled": lambda dossier: len(dossier.report.drilled),
        "soup.count": lambda dossier: len(dossier.soup),
        "soup.runtime": lambda dossier: sum(one.use.value == "runtime" for one in dossier.soup),
        "soup.build": lambda dossier: sum(one.use.value == "build" for one in dossier.soup),
        "gates.count": lambda dossier: len(dossier.inputs.gates),
        "gates.passed": _gates(passed=True),
        "gates.failed": _gates(passed=False),
        "clauses.met": _clauses("met"),
        "clauses.open": _clauses("open"),
        "clauses.justified": _clauses("justified"),
        "criteria.count": lambda dossier: len(dossier.project.evaluation.criteria),
        "looks.count": lambda dossier: len(dossier.log.history.opened),
        "signatures.count": lambda dossier: len(dossier.inputs.policy.signatures.rules),
        "chapters.missing": lambda dossier: len(missing_chapters(dossier.inputs.source)),
        "background.value": lambda dossier: 0,
        **{
            f"{part.value}.{what}": _part(part, what)
            for part in (Part.TRAIN, Part.CALIBRATION, Part.TEST)
            for what in ("cases", "subjects", "groups")
        },
    }
)
"""Every fact by its name."""


@implements("REQ-501")
def value_of(dossier: Dossier, name: str) -> Value:
    """The value of a fact.

    Raises:
        InputError: there is no fact of this name.
    """
    compute = FACTS.get(name)
    if compute is None:
        near = [one for one in FACTS if one.partition(".")[0] == name.partition(".")[0]]
        raise InputError(f"there is no fact {name!r}", hint=f"facts of that kind: {', '.join(near) or 'none'}")
    return compute(dossier)
