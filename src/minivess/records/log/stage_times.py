"""How long each stage of an answer took."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from minivess.records.base import Record


class Stage(StrEnum):
    """The stages of an answer, in their order. Each is a field of `StageTimes`."""

    READING = "reading"
    """Body, form and image."""
    QUEUEING = "queueing"
    """Waiting for a place, or for other images of a batch."""
    PREPROCESSING = "preprocessing"
    INFERENCE = "inference"
    """Tiles through the graphs, and their blending."""
    POSTPROCESSING = "postprocessing"
    """From blended logits to masks and measurements."""
    LOG_COMMIT = "log_commit"
    """Signing the entry, and writing it to the disk."""
    ENCODING = "encoding"
    """Masks in the format that was asked for."""


Seconds = Annotated[float | None, Field(ge=0, exclude_if=lambda value: value is None)]
"""None: the stage did not take place, or was not over when this was written."""


class StageTimes(Record):
    """Wall time of each stage in seconds, to the microsecond. An entry has those before it was written."""

    reading: Seconds = None
    queueing: Seconds = None
    preprocessing: Seconds = None
    inference: Seconds = None
    postprocessing: Seconds = None
    log_commit: Seconds = None
    encoding: Seconds = None

    @property
    def total(self) -> float:
        """Of all stages, in seconds."""
        return sum(getattr(self, stage.value) or 0.0 for stage in Stage)
