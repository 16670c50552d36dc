"""The report of `minivess dicom segment`: what became of each series of a folder.

It is written beside the segmentations and names series by their UIDs, so it is kept as the images are. Nothing of it goes
into the log.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText


class SegmentedClassShare(Record):
    """A class of a segmentation."""

    value: int
    """In the mask; the segments of the file are numbered from 1 in ascending order of it."""
    name: ShortText
    voxels: int = Field(ge=0)
    foreground_fraction: float = Field(ge=0, le=1)
    """Its share of the voxels of the series."""


class SeriesResult(Record):
    """What became of one series."""

    number: int = Field(ge=1)
    series_instance_uid: str
    files: int = Field(ge=1)
    decision: Literal["answered", "refused"]
    reasons: tuple[str, ...] = ()
    """Why it was refused, one sentence each."""
    folder: str | None = None
    """Of its segmentation and receipt, below the output folder."""
    source: Digest | None = None
    """Of the series as the entry names it: an uncompressed zip archive of its files."""
    request: str | None = None
    """Name of the request in the log."""
    entry: int | None = None
    """Index of its entry in the serving log; None: the refusal was counted."""
    mask_digest: Digest | None = None
    """Of the voxels of the mask, as the entry names it."""
    segmentation: Digest | None = None
    """Of the file segmentation.dcm."""
    classes: tuple[SegmentedClassShare, ...] = ()
    sent: bool | None = None
    """Whether the peer took the segmentation; None: it was not sent."""


class UnreadableFile(Record):
    """A DICOM file that belongs to no series because it could not be read."""

    file: str
    """Its path below the input folder."""
    reason: str


class DicomReport(Record):
    """What became of each series of a folder."""

    format: Literal["minivess-dicom-report/1"] = "minivess-dicom-report/1"
    notice: str = "Not for clinical use without an expert who looks at image and mask together."
    device: str
    version: str
    model: Digest
    """SHA-256 of the record of the exported model that answered."""
    complete: bool
    """Whether every series was reached."""
    series: tuple[SeriesResult, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    other_files: int = 0
    """Files that are not DICOM."""

    @property
    def all_answered(self) -> bool:
        """Whether each series was answered, and there was one."""
        answered = [one.decision == "answered" for one in self.series]
        return self.complete and bool(answered) and all(answered) and not self.unreadable
