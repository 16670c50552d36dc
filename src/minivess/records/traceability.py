"""What stands around the items: scenarios, tests, code, results, and what is missing (IEC 62304 5.1.1 c, 5.7)."""

from __future__ import annotations

from typing import Literal

from minivess.foundation.digests import Digest
from minivess.records.base import Moment, Record, ShortText
from minivess.records.items import Source


class Scenario(Record):
    """A Gherkin scenario with its tags (its own, its rule's and its feature's)."""

    name: str
    feature: str
    tags: tuple[str, ...]
    source: Source


class TestLink(Record):
    """A test function marked `verifies(...)`."""

    __test__ = False
    name: str
    ids: tuple[str, ...]
    source: Source


class CodeLink(Record):
    """A function or class marked `implements(...)`."""

    name: str
    ids: tuple[str, ...]
    source: Source


class TestResult(Record):
    """What happened when a scenario or a linked test was run. Only `passed` is passed (IEC 62304 5.7.4)."""

    __test__ = False
    name: str
    node: str
    ids: tuple[str, ...]
    outcome: Literal["passed", "failed", "skipped"]
    seconds: float
    message: str = ""
    scenario: Source | None = None
    """Where the Gherkin scenario that was run is written; None for a plain test."""


class TestReport(Record):
    """All results of one run, valid for one source tree and environment (IEC 62304 5.7.3)."""

    __test__ = False
    commit: str | None
    dirty: bool | None
    tree: Digest
    environment: Digest | None
    platform: ShortText
    time: Moment
    tester: ShortText
    results: tuple[TestResult, ...]


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
    ]
    item: str
    message: str
    source: Source
