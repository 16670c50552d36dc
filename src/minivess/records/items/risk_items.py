"""Items of the risk file: hazards, risks, controls and threats (ISO 14971:2019)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date as calendar
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.item_parts import Cause
from minivess.records.items.items import Item, ItemId, Link


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


Factor = Literal["severity", "p1", "p2"]
FACTOR_WORDS: Mapping[Factor, str] = {"severity": "severity", "p1": "P1", "p2": "P2"}
"""How the parts of an estimate are called in prose."""


class Estimate(Record):
    """Severity and probability on the plan's scales. P1: the hazardous situation occurs; P2: it leads to harm."""

    severity: Annotated[int, Field(ge=1)]
    """The step of severity; 1 is the lowest."""
    p1: Annotated[int, Field(ge=1)]
    """The step of the probability of the hazardous situation."""
    p2: Annotated[int, Field(ge=1)]
    """The step of the probability that the situation leads to harm."""


class Basis(Record):
    """What a lower estimate rests on (ISO 14971:2019 5.5, 7.2): data, literature, or the judgement of a named expert."""

    of: Annotated[tuple[Factor, ...], Field(min_length=1)]
    """What of the estimate it is for: severity, P1, P2."""
    kind: Literal["data", "literature", "expert"]
    """What it is."""
    text: Statement
    """The data and where they are, the publication, or the reasons of the expert."""
    name: ShortText | None = None
    """The expert; owed for `expert`."""
    date: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None
    """The day of the judgement; owed for `expert`."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.kind == "expert" and (self.name is None or self.date is None):
            raise ValueError("the judgement of an expert has a name and a date")
        if self.date is not None:
            calendar.fromisoformat(self.date)
        return self

    @property
    def source(self) -> str:
        """The kind in words, with the name of an expert and the date."""
        words = {"data": "data", "literature": "literature", "expert": "expert judgement"}[self.kind]
        return ", ".join(part for part in (words, self.name, self.date) if part)


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
    bases: tuple[Basis, ...] = ()
    """Needed when controls lower severity or P2, or P1 by more than one step."""
    as_far_as_possible: Statement | None = None
    """Needed when the residual risk is above the best level: why no further control is practicable (ISO 14971 7.1, A.2.7)."""
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
