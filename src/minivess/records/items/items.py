"""What people write down about a device: needs, requirements, architecture, SOUP, risks, threats, changes, attestations.

Each item has a stable id that is never used for another one. Links to other items are fields that carry a `Link`: they are
declared once, at the item that depends on the other (IEC 62304 5.1.1 c, 7.3.3; ISO 14971:2019 4.5).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug, Statement
from minivess.records.items.item_parts import AnomaliesRead, Platform, Support

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
    origin: Annotated[ShortText | None, Field(exclude_if=lambda origin: origin is None)] = None
    """The id that it had where it was imported from."""
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
    """The id that it had where it was imported from."""


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
    support: Annotated[tuple[Support, ...], Field(exclude_if=lambda support: not support)] = ()
    """How its maker supports which versions, and until when."""


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


class StatisticalCriterion(Item):
    """A statistical acceptance criterion: its verdict is computed from the results of cases, never typed."""

    statement: Statement
    """The criterion in words."""
    verifies: Annotated[tuple[ItemId, ...], Field(min_length=1), Link("REQ")]
    """The items that it verifies."""
    measure: Slug
    """The measure of each case."""
    statistic: Literal["mean", "median", "quantile"]
    """What is computed from the groups. The value of a group is the mean of its cases."""
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The quantile of the groups, for the statistic `quantile`: with 0.9, nine groups of ten are at most as large."""
    bound: Literal["estimate", "lower", "upper"]
    """What is compared: the statistic itself, or a one-sided limit over independent groups. Limits of the mean: Student's t
    below 20 groups, bootstrap from 20 on. Limits of a quantile: order statistics."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of the one-sided limit."""
    at_least: float | None = None
    """The smallest value that is accepted."""
    at_most: float | None = None
    """The largest value that is accepted."""
    minimum_cases: Annotated[int, Field(ge=1)]
    """The smallest number of cases."""
    minimum_groups: Annotated[int, Field(ge=1)] = 1
    """The smallest number of independent groups in each stratum."""
    strata: tuple[Slug, ...] = ()
    """Attributes of cases; the criterion must hold in every combination of their values."""

    @property
    def share(self) -> float | None:
        """The quantile that is asked for, 0.5 for the median; None for the mean."""
        return 0.5 if self.statistic == "median" else self.quantile

    @model_validator(mode="after")
    def _one_quantile(self) -> Self:
        if (self.quantile is None) == (self.statistic == "quantile"):
            raise ValueError("`quantile` goes with the statistic `quantile`")
        return self


class Attestation(Item):
    """What a person states about something that no tool can check; it counts once it is signed."""

    clause: ShortText
    """The clause of a standard that the person confirms."""
    statement: Statement
    """What the person confirms."""
    owner: Slug
    """The person or role that signs."""
