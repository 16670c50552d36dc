"""How the clauses of standards stand for a source tree, and attestations of what only a person can state."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minivess.compliance.documents.approved_documents import shown_by_approvals
from minivess.compliance.facts.lock_file import read_lock
from minivess.compliance.items.items import load_items
from minivess.compliance.standards.catalogue import SafetyClass, catalogues, ml_hazards
from minivess.compliance.standards.coverage import Attested, Coverage, Facts, coverage, refuse_strangers, settled
from minivess.compliance.standards.document_evidence import documents, shown_by_documents
from minivess.compliance.standards.item_evidence import considered, shown_by_items
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.link_reviews import item_digest
from minivess.compliance.trace.tree import Tree
from minivess.foundation.errors import MinivessError, RefusedError, UsageError
from minivess.foundation.files import read_limited
from minivess.foundation.implements import implements
from minivess.records.items.items import Attestation, RiskControl, SoftwareItem, SoftwareUnit
from minivess.records.items.risk_plan import missing_reasons
from minivess.records.items.trace import LogStory
from minivess.records.log.receipt import Receipt
from minivess.records.people.roles import IdentityKind

if TYPE_CHECKING:
    from minivess.compliance.identity.signer import Signer
    from minivess.workflows.session.services import Services

_TEXT_LIMIT = 4 << 20


@implements("REQ-072")
def standards_of(
    tree: Tree,
    *,
    safety_class: SafetyClass,
    more: Iterable[str] = (),
    story: LogStory | None = None,
) -> tuple[Coverage, ...]:
    """Every clause, check and hazard of machine learning that binds software of a class, and how it stands.

    Args:
        tree: the source tree, with results where there are some.
        safety_class: of the device.
        more: names of evidence that the caller knows to be there (of the workspace, of the release).
        story: what the log says about the tree; without it nothing counts as signed.

    Raises:
        InputError: a justification or a hazard's `covers` names nothing that is known, with file and line.
    """
    source, graph, gaps, today = tree.source, tree.graph, tree.gaps, tree.today
    excuses = tuple(one.justification for one in gaps if not one.open and one.justification is not None)
    present = {
        *more,
        *_of_tree(tree),
        *(shown_by_approvals(story.signatures, graph.items) if story is not None else ()),
        *shown_by_items(
            graph.items.all(), safety_class=safety_class, dependencies=_dependencies(source), locked=_locked(source)
        ),
    }
    if graph.report is not None and not graph.stale:
        present |= _of_results(graph)
        present |= {"trace-complete"} if not any(one.open for one in gaps) else set()
    facts = Facts(
        present=frozenset(present),
        attestations=attested_in(story) if story is not None else (),
        justifications=tuple(one for one in graph.justifications if not one.gap),
        excused={"trace-complete": excuses} if excuses else {},
        considered=considered(graph.items.all()),
    )
    refuse_strangers(facts, catalogues())
    hazards = coverage(ml_hazards(), facts, safety_class=safety_class, today=today)
    if settled(hazards):
        facts = Facts(
            facts.present | {"ml-hazards-considered"},
            facts.attestations,
            facts.justifications,
            facts.excused,
            facts.considered,
        )
    return tuple(row for one in catalogues() for row in coverage(one, facts, safety_class=safety_class, today=today))


@implements("REQ-072")
def attest(services: Services, signer: Signer, item: str) -> Receipt:
    """Sign an attestation of the source tree, word for word as it stands.

    Raises:
        RefusedError: the signer is not its owner, or is no person.
        UsageError: there is no such attestation.
    """
    found = load_items(services.source).of(Attestation).get(item)
    if found is None:
        raise UsageError(f"there is no attestation {item}", hint="write it into requirements/, list `attestations`")
    if signer.identity.kind is not IdentityKind.PERSON or signer.identity.id != found.owner:
        raise RefusedError(f"{item} is for {found.owner} to sign, not for {signer.identity.id}")
    from minivess.workflows.session.recording import recorded  # a database, which the clauses of a tree do not need

    with recorded(services, "trace.attest", signer, instant=True) as record:
        record.payload(item=item, clause=found.clause, digest=item_digest(found))
    return record.receipt


def attested_in(story: LogStory) -> tuple[Attested, ...]:
    """The attestations whose words are those that were signed; the latest signature of each."""
    signed = (one for one in story.signatures if one.meaning == "attested" and not one.out_of_date)
    last = {one.item: Attested(one.about, one.actor, one.entry, one.time) for one in signed}
    return tuple(last.values())


@implements("REQ-112")
def _of_tree(tree: Tree) -> set[str]:
    """Evidence that the tree shows beside its items."""
    source, graph = tree.source, tree.graph
    found = {"development-plan"} if (source / "sdp.md").is_file() else set()
    found |= {"lock-file"} if (source / "uv.lock").is_file() else set()
    found |= {"soup-list"} if _locked(source) else set()
    found |= {"architecture"} if _contracts(source) and _rooms_say_what_for(source) else set()
    found |= {"version-history"} if re.search(r"(?m)^## \S", _text(source, "CHANGELOG.md")) else set()
    found |= shown_by_documents({one.path: _text(source, one.path) for one in documents()})
    found |= {"version-control"} if tree.version.state[0] is not None else set()
    plan, controls = graph.items.plan, graph.items.controls
    if plan is not None and graph.items.risks:
        owed = [
            reason
            for risk in graph.items.risks.values()
            for reason in missing_reasons(
                risk, tuple(controls[name].kind for name in risk.controls if name in controls)
            )
        ]
        found |= {"risk-file"} if not owed else set()
        if all(plan.level(risk.residual).acceptable for risk in graph.items.risks.values()):
            found.add("risks-acceptable")
        if _overall(graph):
            found.add("overall-residual-risk")
        serious = plan.serious_from
        if serious is None or any(risk.initial.severity >= serious for risk in graph.items.risks.values()):
            found.discard("documentation-level")
    return found


def _overall(graph: TraceGraph) -> bool:
    """Whether the plan says all that clause 8 asks, and nothing that it asks of single risks is owed."""
    plan = graph.items.plan
    owed = any(gap.kind in ("untold-risk", "unacceptable-risk") for gap in graph.gaps())
    return plan is not None and plan.disclosure is not None and bool(plan.benefit_approvers) and not owed


def _of_results(graph: TraceGraph) -> set[str]:
    found = {"results"} if graph.counted else set()
    if graph.counted and all(result.outcome == "passed" for result in graph.counted):
        found.add("all-passed")
    if graph.counted and not any(result.outcome == "failed" for result in graph.counted):
        found.add("failures-reported")
    if graph.items.controls and all(graph.verdict_for(name) == "passed" for name in graph.items.controls):
        found.add("controls-verified")
    controls = graph.items.controls.values()
    if graph.drilled and all(_effective(graph, one) for one in controls):
        found.add("controls-effective")
    units, wholes = (
        graph.items.of(SoftwareUnit),
        [one for one in graph.items.of(SoftwareItem).values() if not one.part_of],
    )
    if units and all(graph.verdict_for(name) == "passed" for name in units):
        found.add("unit-results")
    if wholes and all(graph.verdict_for(one.id) == "passed" for one in wholes):
        found.add("architecture-checked")
    if graph.link_states and all(state == "reviewed" for state in graph.link_states.values()):
        found.add("links-reviewed")
    return found


def _effective(graph: TraceGraph, control: RiskControl) -> bool:
    """Whether a control was missed when it was away, or somebody said why it cannot be."""
    drilled = graph.drilled.get(control.id)
    return drilled is not None and drilled.outcome == "noticed" if control.switch else control.no_switch is not None


def _dependencies(source: Path) -> set[str]:
    """Names of the packages the product and its extras depend on directly, from `pyproject.toml`."""
    project = _pyproject(source).get("project", {})
    extras = (one for listed in project.get("optional-dependencies", {}).values() for one in listed)
    names = (re.match(r"[A-Za-z0-9._-]+", str(one)) for one in (*project.get("dependencies", []), *extras))
    return {match[0] for match in names if match} - {project.get("name")}


def _locked(source: Path) -> dict[str, str]:
    """Versions of packages by name, from `uv.lock`; none when there is no lock that can be read."""
    try:
        return {one.name: one.version for one in read_lock(source / "uv.lock").packages}
    except MinivessError:
        return {}


def _contracts(source: Path) -> bool:
    """Whether import contracts say which room may use which."""
    tools = _pyproject(source).get("tool", {})
    return bool(tools.get("importlinter", {}).get("contracts"))


def _rooms_say_what_for(source: Path) -> bool:
    """Whether every package under `src/` has a docstring."""
    rooms = sorted((source / "src").rglob("__init__.py"))
    try:
        return bool(rooms) and all(ast.get_docstring(ast.parse(read_limited(one, limit=_TEXT_LIMIT))) for one in rooms)
    except (SyntaxError, ValueError):
        return False


def _pyproject(source: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(source, "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def _text(source: Path, name: str) -> str:
    """A text of the tree; empty when it is not there or no text."""
    path = source / name
    try:
        return read_limited(path, limit=_TEXT_LIMIT).decode("utf-8") if path.is_file() else ""
    except UnicodeDecodeError:
        return ""
