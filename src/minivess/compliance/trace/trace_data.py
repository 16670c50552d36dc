"""Everything a tree knows as records, in the form `minivess-trace/2`: what pages and tables are made of.

Every item carries its own links, evidence and gaps, so that a page about it needs nothing else. An item's status is that of
its own evidence and of everything it is only met by: a need whose requirement failed has failed, and a risk whose control
is not verified is not controlled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.trace.justified_gaps import JudgedGap
from minivess.compliance.trace.link_reviews import RESTS_ON, LinkKey
from minivess.compliance.trace.links import Links
from minivess.compliance.trace.statuses import statuses
from minivess.compliance.trace.tree import Tree
from minivess.foundation.clock import timestamp
from minivess.foundation.implements import implements
from minivess.records.items.items import Item
from minivess.records.items.kinds import KINDS, link_fields, links_of
from minivess.records.items.risk_items import FACTOR_WORDS, Estimate, FieldCount, Risk
from minivess.records.items.risk_plan import RiskPlan
from minivess.records.items.trace import CodeLink, LogStory, RecordedResult, Scenario, Signature, VerificationLink
from minivess.records.items.trace_data import (
    TRACE_FORMAT,
    ClauseCoverage,
    ItemGap,
    LabelledText,
    LinkReview,
    MadeFile,
    MarkedPlace,
    Reason,
    RiskCell,
    RiskLevel,
    RiskMatrix,
    TraceData,
    TraceDrill,
    TraceEntry,
    TraceEvidence,
    TraceGap,
    TraceItem,
    TraceKind,
    TraceLink,
    TraceLog,
    TracePlace,
    TraceProject,
    TraceRelation,
    TraceReport,
    TraceResult,
    TraceRevision,
    TraceScenario,
    TraceSignature,
    TraceTest,
    TraceVerdict,
)

RELATIONS: dict[str, tuple[str, str]] = {
    "derives-from": ("derives from", "is refined by"),
    "allocated-to": ("is allocated to", "takes up"),
    "part-of": ("is part of", "consists of"),
    "uses": ("uses", "is used by"),
    "affects": ("affects", "is affected by"),
    "changes": ("changes", "is changed by"),
    "resolves": ("resolves", "is resolved by"),
    "verifies": ("verifies", "is verified by"),
    "from-hazard": ("comes from", "leads to"),
    "follows": ("follows from", "leads to"),
    "situation": ("begins with", "is estimated in"),
    "harm": ("ends in", "is the harm of"),
    "controls": ("is controlled by", "controls"),
    "implemented-by": ("is implemented by", "implements"),
    "new-risks": ("brings", "is brought by"),
    "risk": ("counts", "was counted in"),
    "controlled-by": ("is countered by", "counters"),
    "rests-on": ("rests on", "carries"),
}
"""How a link reads from the item that declares it, and from the one it names."""

_LONG = ("statement", "rationale", "segregation", "purpose", "anomalies", "evaluation", "reason", "severity_reason")
_LONGER = (*_LONG, "as_far_as_possible", "information_reason", "benefit")


_UNKNOWN_PROJECT = TraceProject(name="", version=None, commit=None, tree=None, time=None)


def view(
    tree: Tree,
    *,
    project: TraceProject = _UNKNOWN_PROJECT,
    coverage: Sequence[ClauseCoverage] = (),
    log: LogStory | None = None,
) -> TraceData:
    """The whole tree.

    Args:
        tree: the tree.
        project: what the trace is about, as far as it is known.
        coverage: how the clauses of standards stand, as `standards.coverage` gives it.
        log: what the log of the project says; None where none was read.
    """
    graph, gaps = tree.graph, tree.gaps
    by_item: defaultdict[str, list[JudgedGap]] = defaultdict(list)
    for one in gaps:
        by_item[one.gap.item].append(one)
    still_open = sum(one.open for one in gaps)
    status = statuses(graph)
    signed: defaultdict[str, list[Signature]] = defaultdict(list)
    for signature in log.signatures if log is not None else ():
        signed[signature.item].append(signature)
    reviewed = _reviewed(graph, log)
    return TraceData(
        format=TRACE_FORMAT,
        project=project,
        verdict=TraceVerdict(
            holds=not still_open,
            gaps=still_open,
            justified=len(gaps) - still_open,
            suspects=len({key.item for key in graph.suspects}),
        ),
        kinds=tuple(
            TraceKind(kind=_word(kind.title), prefix=kind.prefix, title=kind.title, plural=kind.plural)
            for kind in KINDS
        ),
        relations=tuple(
            TraceRelation(name=name, forward=forward, backward=backward)
            for name, (forward, backward) in RELATIONS.items()
        ),
        items=tuple(
            _item(
                graph,
                item,
                status=status[item.id],
                gaps=by_item[item.id],
                reviewed=reviewed,
                signatures=tuple(_signature(one) for one in signed[item.id]),
                history=tuple(
                    TraceRevision(commit=one.commit, time=one.time, author=one.author, subject=one.subject)
                    for one in tree.revisions.get(item.id, ())
                ),
            )
            for item in graph.items.all()
        ),
        risk=None if graph.items.plan is None else _risk_matrix(tree.risks),
        coverage=tuple(coverage),
        report=_report(graph, log),
        log=None if log is None else TraceLog(origin=log.origin, size=log.size, demo=log.demo),
        made=() if log is None else tuple(MadeFile.model_validate(one.model_dump(mode="json")) for one in log.made),
        signatures=tuple(_signature(one) for one in signed[""]),
        gaps=tuple(TraceGap(**dict(_gap(one)), item=one.gap.item) for one in gaps),
        entries=()
        if log is None
        else tuple(TraceEntry.model_validate(one.model_dump(mode="json")) for one in log.entries),
    )


def _word(title: str) -> str:
    return title.lower().replace(" ", "-")


_KIND = {kind.record: _word(kind.title) for kind in KINDS}


def _signature(signature: Signature) -> TraceSignature:
    return TraceSignature.model_validate(signature.model_dump(mode="json", exclude={"item"}))


def _item(
    graph: Links,
    item: Item,
    *,
    status: str,
    gaps: list[JudgedGap],
    reviewed: Mapping[LinkKey, LinkReview],
    signatures: tuple[TraceSignature, ...],
    history: tuple[TraceRevision, ...],
) -> TraceItem:
    said = item.model_dump(mode="json", exclude={"id", "title", "source", *link_fields(type(item))})
    links = [_link(graph, item, field, target, reviewed) for field, target in links_of(item)]
    links += [_link(graph, item, RESTS_ON, name, reviewed) for name in item.rests_on if name in graph.artifacts]
    return TraceItem(
        id=item.id,
        kind=_KIND[type(item)],
        title=item.title,
        status=status,
        suspect=any(link.suspect for link in links),
        text=tuple(LabelledText(label=_label(name), value=said[name]) for name in _LONGER if said.get(name)),
        facts=(*_facts(said), *_bases(item), *_drill(graph, item.id)),
        standards=(),
        source=TracePlace(path=item.source.path, line=item.source.line),
        links=tuple(links),
        scenarios=tuple(_scenario(graph, one) for one in graph.scenarios_for(item.id)),
        tests=tuple(_test(graph, item.id, one) for one in graph.tests_for(item.id)),
        code=tuple(_marked(one) for one in graph.code_for(item.id)),
        results=tuple(_result(one) for one in graph.results_for(item.id)),
        gaps=tuple(_gap(one) for one in gaps),
        levels=_levels(graph, item) if isinstance(item, Risk) else (),
        signatures=signatures,
        history=history,
    )


def _marked(mark: CodeLink) -> MarkedPlace:
    return MarkedPlace(name=mark.name, path=mark.source.path, line=mark.source.line)


@implements("REQ-267")
def _test(graph: Links, identifier: str, mark: VerificationLink) -> TraceTest:
    """A marked test, class or module, with the worst outcome of the tests in it that count for an item."""
    inside = [
        result for result in graph.results_for(identifier) if result.scenario is None and _is_in(result.node, mark)
    ]
    return TraceTest(name=mark.name, path=mark.source.path, line=mark.source.line, outcome=_worst(inside))


def _is_in(node: str, mark: VerificationLink) -> bool:
    """Whether a test, as pytest names it, is the marked one or in the marked class or module."""
    path, _, inside = node.partition("[")[0].partition("::")
    if path != mark.source.path:
        return False
    module = ".".join(PurePosixPath(path).with_suffix("").parts)
    name = f"{module}.{inside.replace('::', '.')}"
    return f".{name}.".find(f".{mark.name}.") >= 0


def _worst(results: Iterable[RecordedResult]) -> str:
    outcomes = {result.outcome for result in results}
    return next((one for one in ("failed", "skipped", "passed") if one in outcomes), "not run")


def _result(result: RecordedResult) -> TraceResult:
    return TraceResult(
        name=result.name,
        node=result.node,
        outcome=result.outcome,
        seconds=result.seconds,
        message=result.message,
        evidence=tuple(TraceEvidence(path=one.path, digest=one.digest) for one in result.evidence),
    )


def _facts(said: Mapping[str, Any]) -> list[LabelledText]:
    facts = []
    for name, value in said.items():
        if name in _LONGER or value in (None, [], ()) or isinstance(value, dict):
            continue
        if isinstance(value, list):
            if all(isinstance(one, str) for one in value):
                facts.append(LabelledText(label=_label(name), value="; ".join(value)))
            continue
        shown = ("yes" if value else "no") if isinstance(value, bool) else str(value)
        facts.append(LabelledText(label=_label(name), value=shown))
    return facts


def _bases(item: Item) -> list[LabelledText]:
    """What the lower estimates of a risk rest on."""
    bases = item.bases if isinstance(item, Risk) else ()
    return [
        LabelledText(
            label=f"Basis of {', '.join(FACTOR_WORDS[factor] for factor in basis.of)}",
            value=f"{basis.source}: {basis.text}",
        )
        for basis in bases
    ]


def _drill(graph: Links, identifier: str) -> list[LabelledText]:
    """What came of taking a control away."""
    one = graph.drilled.get(identifier)
    if one is None:
        return []
    return [LabelledText(label="Without the control", value=f"{one.outcome} ({one.switch}): {one.said}")]


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _link(graph: Links, item: Item, field: str, target: str, reviewed: Mapping[LinkKey, LinkReview]) -> TraceLink:
    key = LinkKey(item.id, field, target)
    return TraceLink(
        relation=field.replace("_", "-"),
        target=target,
        suspect=graph.link_states.get(key) == "suspect",
        reviewed=reviewed.get(key),
    )


def _reviewed(graph: Links, log: LogStory | None) -> dict[LinkKey, LinkReview]:
    """Who reviewed each link last. A line of the file of reviews that no entry signs is by nobody."""
    if log is None:
        return {}
    found: dict[LinkKey, LinkReview] = {}
    signed: set[tuple[LinkKey, str]] = set()
    for one in log.signatures:
        if one.meaning == "reviewed":
            relation, _, target = one.about.partition(" ")
            key = LinkKey(one.item, relation.replace("-", "_"), target)
            found[key] = LinkReview(by=one.actor, time=timestamp(one.time), entry=one.entry)
            signed.add((key, one.digest))
    unsigned = [key for key, digest in graph.reviews.items() if (key, digest) not in signed]
    return found | {key: LinkReview(by=None, time=None, entry=None) for key in unsigned}


def _scenario(graph: Links, scenario: Scenario) -> TraceScenario:
    results = graph.scenario_results(scenario.source)
    return TraceScenario(
        name=scenario.name,
        feature=scenario.feature,
        path=scenario.source.path,
        line=scenario.source.line,
        outcome=_worst(results),
        seconds=round(sum(result.seconds for result in results), 3),
    )


def _gap(judged_gap: JudgedGap) -> ItemGap:
    gap, why = judged_gap.gap, judged_gap.justification
    remark = f" ({judged_gap.remark})" if judged_gap.open and why is not None else ""
    reason = None
    if why is not None and not judged_gap.open:
        reason = Reason(reason=why.reason, owner=why.owner, expires=why.expires.isoformat())
    source = gap.source
    return ItemGap(kind=gap.kind, message=gap.message + remark, path=source.path, line=source.line, justified=reason)


def _levels(graph: Links, risk: Risk) -> tuple[RiskLevel, ...]:
    plan = graph.items.plan
    if plan is None:
        return ()
    stages = [("initial", risk.initial)]
    stages += [(f"after {name}", one) for name, one in zip(risk.controls, risk.after, strict=False)]
    stages.append(("residual", risk.residual))
    counts = [one for one in graph.items.of(FieldCount).values() if one.risk == risk.id]
    if counts:
        stages.append(("counted in use", plan.counted(risk, counts)))
    return tuple(_level(plan, stage, one) for stage, one in stages)


def _level(plan: RiskPlan, stage: str, estimate: Estimate) -> RiskLevel:
    level = plan.level(estimate)
    return RiskLevel(
        stage=stage,
        severity=estimate.severity,
        p1=estimate.p1,
        p2=estimate.p2,
        probability=plan.probability_of(estimate),
        level=level.name,
        acceptable=level.acceptable,
    )


def _risk_matrix(risks: RiskFile) -> RiskMatrix:
    plan = risks.plan
    return RiskMatrix(
        severity=tuple(step.word for step in plan.severity),
        probability=tuple(step.word for step in plan.probability.steps),
        cells=tuple(RiskCell(**dict(cell)) for row in reversed(risks.matrix()) for cell in row),
    )


def _report(graph: Links, log: LogStory | None) -> TraceReport | None:
    report = graph.report
    if report is None:
        return None
    outcomes = [result.outcome for result in report.results]
    return TraceReport(
        commit=report.commit,
        tree=report.tree,
        environment=report.environment,
        platform=report.platform,
        time=timestamp(report.time),
        tester=report.tester,
        drilled=tuple(TraceDrill.model_validate(one.model_dump()) for one in report.drilled),
        entry=None if log is None else log.results,
        stale=graph.stale,
        passed=outcomes.count("passed"),
        failed=outcomes.count("failed"),
        skipped=outcomes.count("skipped"),
    )
