"""How far a project is: its steps, the looks at its test set, and the next step."""

from __future__ import annotations

from typing import Literal

from minivess.records.artifact import Artifact
from minivess.records.base import Moment, Record

State = Literal["done", "outdated", "missing", "open"]
"""`outdated`: a file it was made from was made again since. `missing`: a file it made is not in the workspace."""


class StepStatus(Record):
    """How far one step is.

    Attributes:
        step: its name.
        title: what it does, in a few words.
        command: the command line.
        state: how far it is.
        reason: why it is outdated or missing, or how much of it is done; empty when there is nothing to say.
        entry: the newest entry that shows that it was done; None: no entry does.
        time: when that was.
        actor: who did it.
        artifacts: what that entry names as made.
    """

    step: str
    title: str
    command: str
    state: State
    reason: str = ""
    entry: int | None = None
    time: Moment | None = None
    actor: str | None = None
    artifacts: tuple[Artifact, ...] = ()


class LookCounts(Record):
    """The looks at the test set, counted.

    Attributes:
        taken: looks so far, over all test sets of the project.
        allowed: looks that the project file allows in all.
        waiting: requests that wait for an approval and have not expired.
        granted: approved requests without a completed evaluation.
    """

    taken: int
    allowed: int
    waiting: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()


class ProjectStatus(Record):
    """How far a project is.

    Attributes:
        device: name of the device.
        version: its version.
        entries: size of the log; None: it was not started.
        steps: every step that a release needs, in the order of the work.
        looks: the looks at the test set; None: no log was started.
        next: the command line of the first step that is not done; None: all are.
    """

    device: str
    version: str
    entries: int | None
    steps: tuple[StepStatus, ...]
    looks: LookCounts | None
    next: str | None
