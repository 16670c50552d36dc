"""What stands around the items: scenarios, tests, code, results, and what is missing (IEC 62304 5.1.1 c, 5.7)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Record, ShortText, Slug
from minivess.records.items.items import Source
from minivess.records.items.loaded_files import LoadedFiles
from minivess.records.items.platform_parts import PlatformPart


class Scenario(Record):
    """A Gherkin scenario with its tags (its own, its rule's and its feature's)."""

    name: str
    feature: str
    tags: tuple[str, ...]
    source: Source
    steps: tuple[str, ...] = ()
    """The steps that set up and act, with those of the background first, each with its keyword."""
    expected: tuple[str, ...] = ()
    """The steps that state what has to come out."""
    parameters: tuple[tuple[str, ...], ...] = ()
    """The examples of an outline: a row of names, then rows of values."""


class VerificationLink(Record):
    """A test function marked `verifies(...)`."""

    name: str
    ids: tuple[str, ...]
    source: Source


class CodeLink(Record):
    """A function or class marked `implements(...)`."""

    name: str
    ids: tuple[str, ...]
    source: Source


class EvidenceFile(Record):
    """A file that a test made or looked at and that shows what it found: a picture, a table, a log."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=240)]
    """Relative to the source tree; the name alone of a file outside it."""
    digest: Digest | None
    """None where there was no such file in the tree when the test ended."""


class RecordedResult(Record):
    """What happened when a scenario or a linked test was run. Only `passed` is passed (IEC 62304 5.7.4)."""

    name: str
    node: str
    ids: tuple[str, ...]
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    message: str = ""
    scenario: Source | None = None
    """Where the Gherkin scenario that was run is written; None for a plain test."""
    evidence: tuple[EvidenceFile, ...] = ()
    """What the test named. A passed test that named a file which is not there counts as skipped."""


class Drilled(Record):
    """What the scenarios of a risk control did when it was taken away (ISO 14971:2019 7.2)."""

    control: Annotated[str, StringConstraints(pattern=r"^RC-[0-9]{2,5}$")]
    outcome: Literal["noticed", "unnoticed", "no scenario"]
    switch: ShortText
    """How it was taken away: a dotted function, and what it gave instead."""
    said: ShortText
    """The last line of the run without it."""


class ResultReport(Record):
    """All results of one run, valid for one source tree and environment (IEC 62304 5.7.3)."""

    commit: str | None
    dirty: bool | None
    tree: Digest
    environment: Digest | None
    platform: ShortText
    parts: tuple[PlatformPart, ...] = ()
    """Of the platform that the tests ran on; none in results of version 0.1.0."""
    time: Moment
    tester: ShortText
    results: tuple[RecordedResult, ...]
    drilled: tuple[Drilled, ...] = ()
    """Risk controls that were taken away on this tree, by id; none before the drill."""
    loaded: LoadedFiles | None = None
    """What Python loaded while the tests ran; None in results of version 0.1.0."""

    @property
    def strangers(self) -> int:
        """How many loaded files are without an origin; 1 where the results do not state what was loaded."""
        return 1 if self.loaded is None else self.loaded.refusals


class Signature(Record):
    """Who signed what about items, at which entry of the log, and whether what they were shown still stands there."""

    item: str
    """The item it stands at; empty for all of them together."""
    entry: Annotated[int, Field(ge=0)]
    actor: Slug
    time: Moment
    meaning: ShortText
    """`reviewed`, `attested`, `baseline`, or what the release policy calls it."""
    about: str
    """What was shown: a link, a clause, a baseline by its name, a release by its version."""
    digest: Digest
    """Of what was shown."""
    out_of_date: str = ""
    """Why it no longer holds; empty while it does."""


class Made(Record):
    """A file that an entry of the log made."""

    name: str
    digest: Digest
    action: str
    entry: Annotated[int, Field(ge=0)]
    actor: Slug
    time: Moment


class LoggedFile(Record):
    """A file that an entry of the log read or made."""

    name: str
    digest: Digest


class LoggedAct(Record):
    """An entry of the log in short: who did what, with which files."""

    entry: Annotated[int, Field(ge=0)]
    action: str
    outcome: str
    actor: Slug
    time: Moment
    inputs: tuple[LoggedFile, ...]
    outputs: tuple[LoggedFile, ...]


class LogStory(Record):
    """What a log says about the items of a tree and about what was made with it."""

    origin: str
    size: Annotated[int, Field(ge=0)]
    demo: bool
    signatures: tuple[Signature, ...]
    """In the order of the log."""
    made: tuple[Made, ...]
    """By the last completed entry of each action that makes something."""
    results: int | None
    """The entry that recorded the results that are shown; None when no entry did, or when none are shown."""
    entries: tuple[LoggedAct, ...] = ()
    """Each entry that was read."""


class Gap(Record):
    """Something the traceability check misses, with where to mend it."""

    kind: Literal[
        "unknown-id",
        "missing-link",
        "untested-requirement",
        "unimplemented-requirement",
        "unverified-control",
        "unacceptable-risk",
        "duplicate-id",
        "failed-requirement",
        "unbound-scenario",
        "wrong-target",
        "circular-link",
        "suspect-link",
        "unmet-criterion",
        "reopened-risk",
        "misallocated-requirement",
        "unexamined-control",
        "unfounded-estimate",
        "untold-risk",
        "nothing-to-check",
    ]
    item: str
    message: str
    source: Source
