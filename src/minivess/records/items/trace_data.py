"""A trace as data, in the format `minivess-trace/2`: everything that pages and tables of a source tree show.

Its JSON Schema is docs/schemas/trace.json. Texts are as they stand in the tree, so a reader has to escape them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Record

TRACE_FORMAT: Literal["minivess-trace/2"] = "minivess-trace/2"


class TraceProject(Record):
    """What the trace is about, as far as it is known."""

    name: str
    version: str | None
    commit: str | None
    tree: str | None
    """Digest of the source tree."""
    time: str | None


class TraceVerdict(Record):
    """Whether the trace holds, and what speaks against it."""

    holds: bool
    gaps: int
    """Gaps that are not justified, or no longer."""
    justified: int
    suspects: int
    """Items with a link whose target has changed since its review."""


class TraceKind(Record):
    """A kind of items."""

    kind: str
    prefix: str
    title: str
    plural: str


class TraceRelation(Record):
    """How a link reads from the item that declares it, and from the one it names."""

    name: str
    forward: str
    backward: str


class LabelledText(Record):
    """A field of an item: its label and its value."""

    label: str
    value: str


class TracePlace(Record):
    """A file of the tree and a line of it."""

    path: str
    line: int | None


class LinkReview(Record):
    """The last review of a link; a line of the file of reviews that no entry signs is by nobody."""

    by: str | None
    time: str | None
    entry: int | None


class TraceLink(Record):
    """A link that an item declares."""

    relation: str
    target: str
    suspect: bool
    reviewed: LinkReview | None


class TraceScenario(Record):
    """A scenario that carries the id of an item, and how its last results ended."""

    name: str
    feature: str
    path: str
    line: int | None
    outcome: str
    seconds: int | float | None


class MarkedPlace(Record):
    """A test or a piece of code that names an item."""

    name: str
    path: str
    line: int | None


class TraceTest(MarkedPlace):
    """A test that names an item, and its outcome on this tree."""

    outcome: str = ""
    """`passed`, `failed`, `skipped` or `not run`; empty in traces of version 0.1.0."""


class TraceEvidence(Record):
    """A file that a result names; without a digest where it was missing."""

    path: str
    digest: str | None


class TraceResult(Record):
    """A result that counts for an item."""

    name: str
    node: str
    outcome: str
    seconds: int | float | None
    message: str
    evidence: tuple[TraceEvidence, ...]


class Reason(Record):
    """A justification: why, by whom, and until which day."""

    reason: str
    owner: str
    expires: str | None


class ItemGap(Record):
    """Something that is missing or wrong at an item."""

    kind: str
    message: str
    path: str
    line: int | None
    justified: Reason | None
    """None while the gap is open."""


class TraceGap(ItemGap):
    """A gap with the item it is about."""

    item: str


class RiskLevel(Record):
    """The estimate of a risk at one stage, and the level the plan gives it."""

    stage: str
    severity: int
    p1: int
    p2: int
    probability: int
    level: str
    acceptable: bool


class TraceRevision(Record):
    """A commit that lines of an item come from."""

    commit: str
    time: str
    author: str
    subject: str


class TraceSignature(Record):
    """Who signed what, at which entry of the log, and whether it still holds."""

    entry: int
    actor: str
    time: str
    meaning: str
    about: str
    digest: str
    out_of_date: str
    """Why it no longer holds; empty while it does."""


class TraceItem(Record):
    """An item with its links, its evidence and what it lacks."""

    id: str
    kind: str
    title: str
    status: str
    suspect: bool
    text: tuple[LabelledText, ...]
    facts: tuple[LabelledText, ...]
    standards: tuple[str, ...]
    source: TracePlace
    links: tuple[TraceLink, ...]
    scenarios: tuple[TraceScenario, ...]
    tests: tuple[TraceTest, ...]
    code: tuple[MarkedPlace, ...]
    results: tuple[TraceResult, ...]
    gaps: tuple[ItemGap, ...]
    levels: tuple[RiskLevel, ...]
    signatures: tuple[TraceSignature, ...]
    history: tuple[TraceRevision, ...]


class RiskCell(Record):
    """One cell of the risk matrix, with the risks in it before and after control."""

    severity: int
    probability: int
    level: str
    acceptable: bool
    initial: tuple[str, ...]
    residual: tuple[str, ...]


class RiskMatrix(Record):
    """The scales of the risk plan and every cell of its matrix."""

    severity: tuple[str, ...]
    probability: tuple[str, ...]
    cells: tuple[RiskCell, ...]


class ClauseAttestation(Record):
    """A signed statement that a clause is met."""

    signer: str
    entry: int
    time: str


class ClauseCoverage(Record):
    """How one clause of a standard stands."""

    standard: str
    clause: str
    id: str
    paraphrase: str
    mode: str
    status: str
    """`met`, `open` or `justified`."""
    evidence: tuple[str, ...]
    missing: tuple[str, ...]
    reason: str
    next: str
    attested: tuple[ClauseAttestation, ...]
    justified: tuple[Reason, ...]
    expired: bool


class TraceDrill(Record):
    """What the scenarios of a risk control did when it was taken away."""

    control: str
    outcome: str
    switch: str
    said: str


class TraceReport(Record):
    """The recorded results that the trace shows."""

    commit: str | None
    tree: str
    environment: str | None
    platform: str
    time: str
    tester: str
    drilled: tuple[TraceDrill, ...]
    entry: int | None
    """The entry of the log that recorded them."""
    stale: bool
    """Whether they are of another tree or environment, and count for nothing."""
    passed: int
    failed: int
    skipped: int


class TraceLog(Record):
    """The log that the trace shows signatures of."""

    origin: str
    size: int
    demo: bool


class MadeFile(Record):
    """A file that an entry of the log made."""

    name: str
    digest: str
    action: str
    entry: int
    actor: str
    time: str


class EntryFile(Record):
    """A file that an entry of the log read or made."""

    name: str
    digest: str


class TraceEntry(Record):
    """An entry of the log in short."""

    entry: int
    action: str
    outcome: str
    actor: str
    time: str
    inputs: tuple[EntryFile, ...]
    outputs: tuple[EntryFile, ...]


class TraceData(Record):
    """A whole trace."""

    format: Literal["minivess-trace/2"]
    project: TraceProject
    verdict: TraceVerdict
    kinds: tuple[TraceKind, ...]
    relations: tuple[TraceRelation, ...]
    items: tuple[TraceItem, ...]
    risk: RiskMatrix | None
    coverage: tuple[ClauseCoverage, ...]
    report: TraceReport | None
    log: TraceLog | None
    made: tuple[MadeFile, ...]
    signatures: tuple[TraceSignature, ...]
    """Of everything together: baselines, documents and releases."""
    gaps: tuple[TraceGap, ...]
    entries: Annotated[tuple[TraceEntry, ...], Field(exclude_if=lambda entries: not entries)] = ()
    """The entries of the log, in order; none where no log was read, and in traces of before."""
