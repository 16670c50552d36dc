"""The kinds of items: how their ids begin, where they are written, and what their links may name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from minivess.records.items.items import (
    Anomaly,
    Attestation,
    ChangeRequest,
    Item,
    Link,
    Requirement,
    SoftwareItem,
    SoftwareUnit,
    SoupItem,
    StatisticalCriterion,
    SystemRequirement,
    UserNeed,
)
from minivess.records.items.risk_items import (
    FieldCount,
    Harm,
    Hazard,
    HazardousSituation,
    Risk,
    RiskControl,
    SequenceOfEvents,
    Threat,
)


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
    Kind(StatisticalCriterion, "SAC", "requirements", "criteria", "Acceptance criterion", "Acceptance criteria"),
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


@cache
def _by_prefix() -> dict[str, Kind]:
    return {kind.prefix: kind for kind in KINDS}
