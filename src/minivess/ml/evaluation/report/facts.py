"""What a report states beside the record of the evaluation: its maker hands this in, because it is known elsewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from minivess.records.base import Moment, Record, ShortText, Statement
from minivess.records.evaluation.evaluation import AnalysisPlan
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask

ReportedPart = Literal["test", "validation", "calibration"]
"""`test`: the sealed test part. The others can be evaluated at any time."""


class Fact(Record):
    """A term and what is true of it."""

    term: ShortText
    value: Statement


class TestSetAccess(Record):
    """How the sealed test set came to be opened."""

    __test__ = False  # pytest takes no class of this name for a test
    used: Annotated[int, Field(ge=1)]
    """Looks at this test set until this one, which is among them."""
    allowed: Annotated[int, Field(ge=1)] | None = None
    """Looks that the seal allows; None under seals of version 0.1.0."""
    requester: ShortText
    approver: ShortText
    purpose: ShortText
    mode: ShortText
    """How it was read: by the requester with a released key, or by the custodian."""
    opened: Moment


class SubgroupFigure(Record):
    """A measure of the cases that have something in common, or of the voxels of a kind."""

    attribute: ShortText
    """What was told apart: `scanner`, `vessel radius (µm)`."""
    stratum: ShortText
    """Which of its values."""
    of_class: ShortText | None = None
    """The class, where there are several."""
    measure: ShortText = "Dice"
    """For people."""
    groups: Annotated[int, Field(ge=0)]
    """Independent groups."""
    cases: Annotated[int, Field(ge=0)]
    mean: float | None
    """None where nothing could be measured."""
    lower: float | None = None
    upper: float | None = None
    note: str = ""
    """What a reader must know of it, for example that there are too few groups."""


class ReaderAgreement(Record):
    """How well two readers agree on the cases that both annotated, beside the model on the same cases."""

    measure: ShortText
    cases: Annotated[int, Field(ge=1)]
    readers: float
    """The mean between the readers."""
    model: float
    """The mean between the model and the reference, over the same cases."""


class ReportFacts(Record):
    """Everything that a report states and that the record of the evaluation does not hold."""

    device: ShortText
    """Name and version of the device, or of the project."""
    intended_use: Statement
    part: ReportedPart = "test"
    part_note: str = ""
    """What a reader must know of a part that is not the test part."""
    data: ShortText
    """The name of the data set."""
    time: Moment
    """When the evaluation was made; of the test set, when it was opened: a repeated evaluation has the same report."""
    plan: AnalysisPlan
    task: SegmentationTask = ONE_CLASS_OF_VOLUMES
    model: tuple[Fact, ...] = ()
    """Architecture, members, calibration."""
    software: tuple[Fact, ...] = ()
    """Versions of what computed the figures."""
    access: TestSetAccess | None = None
    """None for other parts than the test part."""
    subgroups: tuple[SubgroupFigure, ...] = ()
    """In the order in which they shall be shown within an attribute."""
    readers: tuple[ReaderAgreement, ...] = ()
    sections: tuple[Fact, ...] = ()
    """Further results in words, for example of a robustness test."""
    not_covered: tuple[ShortText, ...] = ()
    """What the evaluation did not examine, besides what the report finds itself."""
    pictures_withheld: str = ""
    """Why there are no pictures of cases; empty where there are."""
