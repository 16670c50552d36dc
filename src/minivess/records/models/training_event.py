"""What a training run reports while it goes on: a line of `events.jsonl`, and of `minivess train --json` on stderr."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from minivess.records.base import Moment, Record, ShortText
from minivess.records.models.training_run import Beat

EVENTS = "events.jsonl"
"""The name of the file of events in the folder of a member."""

Phase = Literal["prepare", "train", "validate", "save"]
"""What a run does at a time."""


class TrainingEvent(Record):
    """Something that happened in a training run."""

    event: Literal["started", "resumed", "phase", "step", "finished", "failed"]
    """`resumed`: the run goes on where an earlier process stopped."""
    time: Moment
    run: ShortText
    """The name of the run, for example `member-0`."""
    phase: Phase | None = None
    """The phase that begins; of the event `phase` alone."""
    beat: Beat | None = None
    """The step; of the event `step` alone."""
    figures: dict[str, float] = Field(default={})
    """The figures of the end; of the event `finished` alone."""

    @property
    def over(self) -> bool:
        """Whether the run has ended, well or not."""
        return self.event in {"finished", "failed"}

    def line(self) -> str:
        """One line of JSON without what does not apply, with its end."""
        return self.model_dump_json(exclude_defaults=True) + "\n"


class TrainingJob(Record):
    """The process that trains a project, as it is written into the file that it locks."""

    process: int
    since: Moment
    end: Literal["finished", "failed"] | None = None
    """None: it runs, or it was killed."""


class TrainingEnd(Record):
    """How a training job ended, for somebody who follows it."""

    state: Literal["finished", "failed", "killed"]
    """`killed`: its process is gone and did not say how it ended."""
    since: Moment
    """When the job began."""
    run: ShortText | None = None
    """The last run; None: the job began none."""
    step: int = 0
    """The last step that was reported."""
    steps: int = 0
    """Steps of that run."""
