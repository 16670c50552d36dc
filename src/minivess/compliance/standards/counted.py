"""What the tool counts in a source tree for the gates of a release, and what has to be approved.

`COUNTERS` is the table of who counts what. A counter yields one row for each kind of gate (and each standard) that it looked at;
a kind without a row was not looked at, and its gate fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from minivess.compliance.standards.approved_subjects import approvable, required_approvals
from minivess.compliance.standards.filing import filing, text_of
from minivess.compliance.trace.tree import Tree
from minivess.compliance.vulnerabilities.licences import checked_licences, read_component_policy
from minivess.compliance.vulnerabilities.review import checked_vulnerabilities, last_scan
from minivess.compliance.vulnerabilities.vex import read_vex
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.provenance import lock_file
from minivess.foundation.reading.lock_file import lock_place
from minivess.records.device.attested import Approvable, AttestedKind, Counted
from minivess.records.items.items import Requirement, SoftwareUnit
from minivess.records.items.trace_data import ClauseCoverage

_LONGEST = 10_000
_DRAFT_LINE = re.compile(r"^\W*status\W+draft\b", re.IGNORECASE | re.MULTILINE)
_OPEN_POINT = re.compile(r"\b(TBD|TBC|TBR)\b")
"""To be decided, confirmed, resolved: the marks of open points in requirements (ISO/IEC/IEEE 29148:2018 5.2.5)."""


@dataclass(frozen=True)
class CountSources:
    """What is looked at."""

    tree: Tree
    """With recorded results, where there are some."""
    coverage: tuple[ClauseCoverage, ...]
    """How the clauses of standards stand."""
    workspace: Workspace


Counter = Callable[[CountSources], Iterator[Counted]]


def _suspects(sources: CountSources) -> Iterator[Counted]:
    graph = sources.tree.graph
    said = [
        f"{one.item} ({one.field}) names {one.target}, which has changed since the link was reviewed"
        for one in graph.suspects
    ]
    yield row("suspects", len(graph.link_states), said)


def _units(sources: CountSources) -> Iterator[Counted]:
    graph, units = sources.tree.graph, sources.tree.items.of(SoftwareUnit)
    verdicts = {name: graph.verdict_for(name) if graph.report is not None else "untested" for name in units}
    said = [f"{name} ({units[name].title}): {verdict}" for name, verdict in verdicts.items() if verdict != "passed"]
    yield row("units", len(units), said)


def _clauses(sources: CountSources) -> Iterator[Counted]:
    for standard in {one.standard for one in sources.coverage}:
        rows = [one for one in sources.coverage if one.standard == standard]
        said = {f"{standard} {one.clause}: {one.next or one.paraphrase}" for one in rows if one.status == "open"}
        yield row("clauses", len(rows), said, about=standard)


def _expiries(sources: CountSources) -> Iterator[Counted]:
    given, today = sources.tree.graph.justifications, sources.tree.today
    said = [
        f"{one.subject}: the reason by {one.owner} expired on {one.expires}" for one in given if one.expires < today
    ]
    yield row("expiries", len(given), said)


def _drafts(sources: CountSources) -> Iterator[Counted]:
    tree = sources.tree
    texts = {one.path: text_of(tree.source, one) for one in filing() if one.path}
    written = {path: text for path, text in texts.items() if text is not None}
    requirements = tree.items.of(Requirement)
    said = [f"{path} says that it is a draft" for path, text in written.items() if _DRAFT_LINE.search(text)]
    said += [
        f"{name} has an open point: {found[1]}"
        for name, one in requirements.items()
        if (found := _OPEN_POINT.search(one.statement)) is not None
    ]
    yield row("drafts", len(written) + len(requirements), said)


def _licences(sources: CountSources) -> Iterator[Counted]:
    tree = sources.tree
    if lock_file(tree.source) is not None:
        found = checked_licences(*lock_place(tree.source), read_component_policy(tree.source))
        yield row("licences", found.looked_at, found.offenders)


def _vulnerabilities(sources: CountSources) -> Iterator[Counted]:
    """Of the last scan, when it is one of this lock file."""
    tree, scan = sources.tree, last_scan(sources.workspace)
    if scan is None or lock_file(tree.source) is None or scan.environment != digest_file(lock_place(tree.source)[0]):
        return
    today = datetime.combine(tree.today, time.max, UTC)
    policy = read_component_policy(tree.source)
    found = checked_vulnerabilities(scan, read_vex(tree.source), policy, time=today)
    place, newest = scan.snapshot.source, scan.snapshot.newest.date().isoformat()
    yield row("vulnerabilities", found.looked_at, found.offenders, source=f"{place[:150]}, as of {newest}")


COUNTERS: list[Counter] = [_suspects, _units, _clauses, _expiries, _drafts, _licences, _vulnerabilities]
"""Who counts."""


def row(
    kind: AttestedKind, of: int, offenders: Iterable[str], *, about: str = "", source: str | None = None
) -> Counted:
    """What was counted for one kind of gate.

    Args:
        kind: of the gates.
        of: how many things were looked at.
        offenders: a sentence for each that offends.
        about: the standard, of clauses.
        source: what the things were looked up in, with its day.
    """
    said = tuple(sorted(one.encode("utf-8", "replace").decode("utf-8")[:_LONGEST] for one in offenders))
    return Counted(kind=kind, of=of, offenders=said, about=about, source=source)


@implements("REQ-550")
def counted_in(sources: CountSources) -> tuple[Counted, ...]:
    """What is counted, in order.

    Raises:
        InputError: a text is not UTF-8 or too large.
    """
    rows = [one for counter in COUNTERS for one in counter(sources)]

    def order(one: Counted) -> Any:
        return one.about, one.kind, one.of, one.offenders

    return tuple(sorted(rows, key=order))


@implements("REQ-550")
def approvable_in(tree: Tree) -> tuple[Approvable, ...]:
    """What of a source tree has to be approved, as it stands now, in order: what the clauses of standards ask for."""
    owed = frozenset[str]().union(*required_approvals(tree.items).values())
    found = [
        Approvable(digest=digest, subject=subject)
        for subject, digest in approvable(tree.source, tree.items).items()
        if subject in owed
    ]
    return tuple(sorted(found, key=lambda one: (one.digest, one.subject)))
