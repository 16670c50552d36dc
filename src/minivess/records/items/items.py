"""What people write down about a device: needs, requirements, architecture, SOUP, risks, threats, changes, attestations.

Each item has a stable id that is never used for another one. Links to other items are fields that carry a `Link`: they are
declared once, at the item that depends on the other (IEC 62304 5.1.1 c, 7.3.3; ISO 14971:2019 4.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.item_parts import AnomaliesRead, Cause, Platform

ItemId = Annotated[
    str,
    StringConstraints(
        pattern=r"^(UN|SYS|REQ|SI|SU|SOUP|ANO|CR|SAC|ATT|HAZ|SEQ|HS|HARM|RISK|RC|THR|FC)-[0-9]{2,5}$", max_length=12
    ),
]
SafetyClass = Literal["A", "B", "C"]


class Link:
    """Marks a field that names other items, and says of which kinds.

    Args:
        prefixes: of the ids that may stand there; none: of any kind.
    """

    def __init__(self, *prefixes: str) -> None:
        self.prefixes = prefixes


class Source(Record):
    """Where something is written: a path relative to the source tree, and a line from 1."""

    path: str
    line: int


class Item(Record):
    """What every item has."""

    model_config = ConfigDict(defer_build=True)

    id: ItemId
    """The id of the item. An id is never used for another item."""
    title: ShortText
    """One line that says what is required or what happens."""
    rests_on: tuple[Slug, ...] = ()
    """Artefacts whose change makes all links to this item suspect: `data-set`, `label-protocol`, `weights`,
    `threshold`, `policy`, `configuration`."""
    source: Source


class UserNeed(Item):
    """A need of a user or manufacturer."""

    statement: Statement
    """The need, in one or two sentences."""


class SystemRequirement(Item):
    """What the system has to do, of which the software is a part (IEC 62304 5.2.1)."""

    statement: Statement
    """What the system shall do."""
    rationale: Statement | None = None
    """Why it is required."""
    derives_from: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("UN")]
    """The user needs that it meets."""


class RequirementCategory(StrEnum):
    """The categories of IEC 62304 5.2.2, a to l, and risk controls (5.2.3)."""

    FUNCTIONAL = "functional"
    INPUTS_OUTPUTS = "inputs-outputs"
    INTERFACES = "interfaces"
    ALARMS = "alarms-and-messages"
    SECURITY = "security"
    USABILITY = "usability"
    DATA = "data"
    INSTALLATION = "installation"
    OPERATION = "operation-and-maintenance"
    NETWORK = "network"
    USER_MAINTENANCE = "user-maintenance"
    REGULATORY = "regulatory"
    RISK_CONTROL = "risk-control"


class Requirement(Item):
    """A software requirement (IEC 62304 5.2)."""

    statement: Statement
    """What the software shall do, so that a test can fail."""
    rationale: Statement
    """Why it is required."""
    category: RequirementCategory
    """The category of IEC 62304 5.2.2."""
    safety_class: SafetyClass
    """The software safety class (IEC 62304 4.3)."""
    verification: Literal["test", "analysis", "inspection"]
    """How it is verified."""
    derives_from: Annotated[tuple[ItemId, ...], Link("UN", "SYS", "REQ")] = ()
    """Empty for one that is there to implement a risk control or to counter a threat: those name it."""
    allocated_to: Annotated[tuple[ItemId, ...], Link("SI", "SU")] = ()
    """Where in the architecture it is met (5.3.1)."""
    origin: ShortText | None = None
    """The id it had where it was imported from."""


class SoftwareItem(Item):
    """An identifiable part of the software (IEC 62304 3.25, 5.3.1)."""

    statement: Statement
    """What the part does."""
    safety_class: SafetyClass
    """The software safety class of the part (IEC 62304 4.3)."""
    part_of: Annotated[ItemId | None, Link("SI")] = None
    """The software item that contains it."""
    interfaces: tuple[Statement, ...] = ()
    """What it offers others and asks of them (5.3.2)."""
    segregation: Statement | None = None
    """Why it may be of a lower class than what it is part of, and how it is kept apart (4.3 d, 5.3.5)."""


class SoftwareUnit(Item):
    """A part that is not divided further (IEC 62304 3.28, 5.4)."""

    statement: Statement
    """What the unit does."""
    part_of: Annotated[ItemId, Link("SI")]
    """The software item that contains it."""
    modules: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*$")], ...], Field(min_length=1)]
    """Dotted names of the modules or packages that are this unit."""
    interfaces: tuple[Statement, ...] = ()
    """What the unit offers to other units."""
    uses: Annotated[tuple[ItemId, ...], Link("SOUP")] = ()
    """The SOUP items that it uses."""


class SoupItem(Item):
    """Software of unknown provenance and what is asked of it (IEC 62304 5.3.3, 5.3.4, 7.1.3, 8.1.2)."""

    package: ShortText
    """Its name in the lock file, which says which version."""
    maker: ShortText | None = None
    """The manufacturer or maintainer."""
    purpose: Statement
    """What the software uses it for."""
    requirements: Annotated[tuple[Statement, ...], Field(min_length=1)]
    """What is required of it (IEC 62304 5.3.3)."""
    platform: Platform | None = None
    """The hardware and software that it needs (IEC 62304 5.3.4)."""
    anomalies: Statement
    """Where its published anomalies are listed, and what would follow from which of them for this device."""
    anomalies_read: AnomaliesRead | None = None
    """The review of its published anomalies for the locked version."""


class Anomaly(Item):
    """A problem that was found (IEC 62304 9.1, 5.8.2)."""

    statement: Statement
    """What was observed, and on which version."""
    status: Literal["open", "closed"]
    """Whether the problem is open or closed."""
    safety_related: bool
    """Whether it affects safety."""
    affects: Annotated[tuple[ItemId, ...], Link()] = ()
    """The items that it affects."""
    evaluation: Statement
    """What it means for safety, and why it may remain while it is open (5.8.3)."""


class ChangeRequest(Item):
    """A change that was asked for (IEC 62304 6.2.4, 8.2)."""

    statement: Statement
    """What is to be changed."""
    reason: Statement
    """Why it is to be changed."""
    status: Literal["proposed", "approved", "implemented", "verified", "rejected"]
    """How far the change is."""
    changes: Annotated[tuple[ItemId, ...], Link()] = ()
    """The items that it changes."""
    resolves: Annotated[tuple[ItemId, ...], Link("ANO")] = ()
    """The problem reports that it resolves."""


class Criterion(Item):
    """A statistical acceptance criterion: its verdict is computed from the results of cases, never typed."""

    statement: Statement
    """The criterion in words."""
    verifies: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("REQ")]
    """The items that it verifies."""
    measure: Slug
    """The measure of each case."""
    statistic: Literal["mean", "median"]
    """What is computed from the cases."""
    bound: Literal["estimate", "lower", "upper"]
    """What is compared: the statistic itself, or a limit of its interval by bootstrap over subjects."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of the one-sided limit."""
    at_least: float | None = None
    """The smallest value that is accepted."""
    at_most: float | None = None
    """The largest value that is accepted."""
    minimum_cases: Annotated[int, Field(ge=1)]
    """The smallest number of cases."""
    strata: tuple[Slug, ...] = ()
    """Attributes of cases; the criterion must hold in every combination of their values."""


class Attestation(Item):
    """What a person states about something that no tool can check; it counts once it is signed."""

    clause: ShortText
    """The clause of a standard that the person confirms."""
    statement: Statement
    """What the person confirms."""
    owner: Slug
    """The person or role that signs."""


class Hazard(Item):
    """A potential source of harm (ISO 14971:2019 3.4, 5.4)."""

    statement: Statement
    """The potential source of harm."""
    covers: tuple[ShortText, ...] = ()
    """Hazards of machine learning from the catalogue that are considered here."""


class SequenceOfEvents(Item):
    """How a hazard comes to a hazardous situation (5.4)."""

    statement: Statement
    """The events that lead from the hazard to the situation."""
    from_hazard: Annotated[ItemId, Link("HAZ")]
    """The hazard at its beginning."""
    causes: tuple[Cause, ...] = ()
    """What can set it going (IEC 62304 7.1.2)."""


class HazardousSituation(Item):
    """A circumstance in which people are exposed to a hazard (3.5)."""

    statement: Statement
    """How people are exposed to the hazard."""
    follows: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("SEQ")]
    """The sequences of events that lead to it."""


class Harm(Item):
    """Injury, or damage to health, property or the environment (3.3)."""

    statement: Statement
    """The injury or damage."""


class Estimate(Record):
    """Severity and probability on the plan's scales. P1: the hazardous situation occurs; P2: it leads to harm."""

    severity: Annotated[int, Field(ge=1)]
    """The step of severity; 1 is the lowest."""
    p1: Annotated[int, Field(ge=1)]
    """The step of the probability of the hazardous situation."""
    p2: Annotated[int, Field(ge=1)]
    """The step of the probability that the situation leads to harm."""


class Risk(Item):
    """A hazardous situation, the harm it can lead to, and how likely and severe that is (ISO 14971:2019 clauses 5 to 7)."""

    situation: Annotated[ItemId, Link("HS")]
    """The hazardous situation."""
    harm: Annotated[ItemId, Link("HARM")]
    """The harm that can follow."""
    initial: Estimate
    """The estimate before any control."""
    after: tuple[Estimate, ...] = ()
    """The estimate after each control, in the order of `controls`; the last one is the residual one."""
    residual: Estimate
    """The estimate after all controls."""
    controls: Annotated[tuple[ItemId, ...], Link("RC")] = ()
    """The risk control measures."""
    severity_reason: Statement | None = None
    """Needed when the residual severity is lower than the initial one."""
    information_reason: Statement | None = None
    """Needed when information for safety is the only kind of control (7.1)."""
    benefit: Statement | None = None
    """Why the benefit outweighs a residual risk that the plan does not accept (7.4)."""
    benefit_by: Slug | None = None
    """The authorised person who judged so (`benefit_approvers`)."""
    verdict: Literal["acceptable", "unacceptable"] | None = None
    """Never the source of truth: when typed, it must equal what the plan's matrix gives."""


class FieldCount(Item):
    """What was seen in use over some time (ISO 14971:2019 10.2): how often a situation came about, and how often it did harm."""

    statement: Statement
    """When and where it was counted, and how complete the count is."""
    risk: Annotated[ItemId, Link("RISK")]
    """The risk whose events were counted."""
    exposures: Annotated[int, Field(ge=1)]
    """Uses of the device."""
    situations: Annotated[int, Field(ge=0)]
    """How many hazardous situations were counted."""
    harms: Annotated[int, Field(ge=0)]
    """How many harms were counted."""


class ControlKind(StrEnum):
    """Options of risk control in their order of preference (ISO 14971 7.1)."""

    INHERENT = "inherently-safe-design"
    PROTECTIVE = "protective-measure"
    INFORMATION = "information-for-safety"


class Switch(Record):
    """How a drill takes a control away: which function does its work, and what it then gives instead of doing it."""

    call: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$", max_length=200)]
    """Dotted name of a function or method."""
    gives: Literal["nothing", "empty", "first"]
    """None, an empty tuple, or its own first argument."""


class RiskControl(Item):
    """A risk control measure; implemented by requirements, its effectiveness shown by scenarios that carry its id."""

    statement: Statement
    """What the measure does."""
    kind: ControlKind
    """The kind of measure (ISO 14971 7.1)."""
    implemented_by: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("REQ")]
    """The requirements that implement it."""
    new_risks: Annotated[tuple[ItemId, ...], Link("RISK")] = ()
    """Risks that the measure itself brings (7.5)."""
    no_new_risks: Statement | None = None
    """Why the measure brings none; owed where `new_risks` names none."""
    switch: Switch | None = None
    """For `minivess risk drill`: without the measure a scenario that carries its id must fail (7.2)."""
    no_switch: Statement | None = None
    """Why the measure cannot be taken away by one call; its effectiveness then rests on its scenarios alone."""


class Threat(Item):
    """What an attacker could do (STRIDE), and what is done against it."""

    statement: Statement
    """What an attacker does."""
    stride: Literal[
        "spoofing", "tampering", "repudiation", "information-disclosure", "denial-of-service", "elevation-of-privilege"
    ]
    """The STRIDE category."""
    affects: Annotated[tuple[ItemId, ...], Link("SI", "SU")] = ()
    """The parts of the software that it affects."""
    controlled_by: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("RC", "REQ")]
    """The controls or requirements that counter it."""


@dataclass(frozen=True)
class Kind:
    """One kind of item: how its ids begin, and in which list of which folder it stands."""

    record: type[Item]
    prefix: str
    folder: Literal["requirements", "risk"]
    list: str
    title: str
    plural: str


KINDS: tuple[Kind, ...] = (
    Kind(UserNeed, "UN", "requirements", "user_needs", "User need", "User needs"),
    Kind(SystemRequirement, "SYS", "requirements", "system_requirements", "System requirement", "System requirements"),
    Kind(Requirement, "REQ", "requirements", "requirements", "Software requirement", "Software requirements"),
    Kind(SoftwareItem, "SI", "requirements", "software_items", "Software item", "Software items"),
    Kind(SoftwareUnit, "SU", "requirements", "software_units", "Software unit", "Software units"),
    Kind(SoupItem, "SOUP", "requirements", "soup", "SOUP item", "SOUP items"),
    Kind(Anomaly, "ANO", "requirements", "anomalies", "Anomaly", "Anomalies"),
    Kind(ChangeRequest, "CR", "requirements", "change_requests", "Change request", "Change requests"),
    Kind(Criterion, "SAC", "requirements", "criteria", "Acceptance criterion", "Acceptance criteria"),
    Kind(Attestation, "ATT", "requirements", "attestations", "Attestation", "Attestations"),
    Kind(Hazard, "HAZ", "risk", "hazards", "Hazard", "Hazards"),
    Kind(SequenceOfEvents, "SEQ", "risk", "sequences", "Sequence of events", "Sequences of events"),
    Kind(HazardousSituation, "HS", "risk", "situations", "Hazardous situation", "Hazardous situations"),
    Kind(Harm, "HARM", "risk", "harms", "Harm", "Harms"),
    Kind(Risk, "RISK", "risk", "risks", "Risk", "Risks"),
    Kind(RiskControl, "RC", "risk", "controls", "Risk control", "Risk controls"),
    Kind(FieldCount, "FC", "risk", "field_counts", "Field count", "Field counts"),
    Kind(Threat, "THR", "risk", "threats", "Threat", "Threats"),
)


def kind_of(prefix: str) -> Kind:
    """The kind whose ids begin so.

    Raises:
        KeyError: there is none.
    """
    return _by_prefix()[prefix]


@cache
def link_fields(record: type[Item]) -> dict[str, tuple[str, ...]]:
    """The fields of a record that name other items, each with the prefixes that may stand there (none: any)."""
    found: dict[str, tuple[str, ...]] = {}
    for name, field in record.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Link):
                found[name] = mark.prefixes
    return found


def links_of(item: Item) -> Iterator[tuple[str, str]]:
    """What an item names, as (field, id), in the order of its fields."""
    for name in link_fields(type(item)):
        named = getattr(item, name)
        if named is None:
            continue
        for identifier in (named,) if isinstance(named, str) else named:
            yield name, identifier


def story(risk: Risk, known: Mapping[str, Item]) -> dict[str, str]:
    """The texts behind a risk: hazard, sequence of events, hazardous situation and harm (several parted by a slash)."""
    situation, harm = known.get(risk.situation), known.get(risk.harm)
    follows = situation.follows if isinstance(situation, HazardousSituation) else ()
    sequences = [one for name in follows if isinstance(one := known.get(name), SequenceOfEvents)]
    hazards = {one.id: one for each in sequences if isinstance(one := known.get(each.from_hazard), Hazard)}
    return {
        "hazard": " / ".join(one.statement for one in hazards.values()),
        "sequence_of_events": " / ".join(one.statement for one in sequences),
        "hazardous_situation": situation.statement if isinstance(situation, HazardousSituation) else "",
        "harm": harm.statement if isinstance(harm, Harm) else "",
    }


@cache
def _by_prefix() -> dict[str, Kind]:
    return {kind.prefix: kind for kind in KINDS}
