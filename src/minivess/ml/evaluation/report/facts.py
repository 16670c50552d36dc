"""What a report states beside the record of the evaluation: its maker hands this in, because it is known elsewhere."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from minivess.records.base import Moment, Record, ShortText, Statement
from minivess.records.evaluation.evaluation import AnalysisPlan
from minivess.records.models.task import ONE_CLASS_OF_VOLUMES, SegmentationTask


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


class ReportFacts(Record):
    """Everything that a report states and that the record of the evaluation does not hold."""

    device: ShortText
    """Name and version of the device, or of the project."""
    intended_use: Statement
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
    sections: tuple[Fact, ...] = ()
    """Further results in words, for example of a robustness test."""
    not_covered: tuple[ShortText, ...] = ()
    """What the evaluation did not examine, besides what the report finds itself."""
    pictures_withheld: str = ""
    """Why there are no pictures of cases; empty where there are."""

    @property
    def voxels(self) -> str:
        """What the points of an image are called: `voxels`, or `pixels` of a picture."""
        return "voxels" if self.task.axes == "zyx" else "pixels"
