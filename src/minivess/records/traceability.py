"""Requirements, risks, scenarios and results as an auditor knows them (IEC 62304 5.2, ISO 14971 clauses 5 to 7)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Record, ShortText, Statement

ItemId = Annotated[str, StringConstraints(pattern=r"^(UN|REQ|RISK|RC|HAZ|SI)-[0-9]{2,5}$")]


class Source(Record):
    """Where something is written: a path relative to the source tree, and a line from 1."""

    path: str
    line: int


class UserNeed(Record):
    """What somebody needs from the device."""

    id: ItemId
    title: ShortText
    statement: Statement
    source: Source


class RequirementCategory(StrEnum):
    """The categories of IEC 62304 5.2.2 this project uses."""

    FUNCTIONAL = "functional"
    INPUTS_OUTPUTS = "inputs-outputs"
    INTERFACES = "interfaces"
    ALARMS = "alarms-and-messages"
    SECURITY = "security"
    USABILITY = "usability"
    DATA = "data"
    INSTALLATION = "installation"
    REGULATORY = "regulatory"
    RISK_CONTROL = "risk-control"


class Requirement(Record):
    """A software requirement (IEC 62304 5.2)."""

    id: ItemId
    title: ShortText
    statement: Statement
    rationale: Statement
    category: RequirementCategory
    safety_class: Literal["A", "B", "C"]
    verification: Literal["test", "analysis", "inspection"]
    derives_from: Annotated[tuple[ItemId, ...], Field(min_length=1)]
    source: Source


class ControlKind(StrEnum):
    """Options of risk control in their order of preference (ISO 14971 7.1)."""

    INHERENT = "inherently-safe-design"
    PROTECTIVE = "protective-measure"
    INFORMATION = "information-for-safety"


class RiskControl(Record):
    """A risk control measure; implemented by requirements, its effectiveness shown by scenarios that carry its id."""

    id: ItemId
    title: ShortText
    statement: Statement
    kind: ControlKind
    implemented_by: Annotated[tuple[ItemId, ...], Field(min_length=1)]
    source: Source


class Estimate(Record):
    """Severity and probability on the plan's scales. P1: the hazardous situation occurs; P2: it leads to harm."""

    severity: Annotated[int, Field(ge=1)]
    p1: Annotated[int, Field(ge=1)]
    p2: Annotated[int, Field(ge=1)]


class Risk(Record):
    """A risk (ISO 14971 5.4): hazard, sequence of events, hazardous situation and harm are four things."""

    id: ItemId
    title: ShortText
    hazard: Statement
    sequence_of_events: Statement
    hazardous_situation: Statement
    harm: Statement
    initial: Estimate
    residual: Estimate
    controls: tuple[ItemId, ...]
    severity_reason: Statement | None = None
    """Needed when the residual severity is lower than the initial one."""
    information_reason: Statement | None = None
    """Needed when information for safety is the only kind of control (ISO 14971 7.1)."""
    verdict: Literal["acceptable", "unacceptable"] | None = None
    """Never the source of truth: when typed, it must equal what the plan's matrix gives."""
    source: Source


class Scenario(Record):
    """A Gherkin scenario with its tags (its own, its rule's and its feature's)."""

    name: str
    feature: str
    tags: tuple[str, ...]
    source: Source


class TestLink(Record):
    """A test function marked `verifies(...)`."""

    __test__ = False
    name: str
    ids: tuple[str, ...]
    source: Source


class CodeLink(Record):
    """A function or class marked `implements(...)`."""

    name: str
    ids: tuple[str, ...]
    source: Source


class TestResult(Record):
    """What happened when a scenario or a linked test was run. Only `passed` is passed (IEC 62304 5.7.4)."""

    __test__ = False
    name: str
    node: str
    ids: tuple[str, ...]
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    message: str = ""
    scenario: Source | None = None
    """Where the Gherkin scenario that was run is written; None for a plain test."""


class TestReport(Record):
    """All results of one run, valid for one source tree and environment (IEC 62304 5.7.3)."""

    __test__ = False
    commit: str | None
    dirty: bool | None
    tree: Digest
    environment: Digest | None
    platform: ShortText
    time: Moment
    tester: ShortText
    results: tuple[TestResult, ...]


class Gap(Record):
    """Something the traceability check misses, with where to mend it."""

    kind: Literal[
        "unknown-id",
        "missing-link",
        "untested-requirement",
        "unimplemented-requirement",
        "unverified-control",
        "unacceptable-risk",
        "duplicate-id",
        "failed-requirement",
        "unbound-scenario",
    ]
    item: str
    message: str
    source: Source
