"""Parts of items that are no items: what SOUP needs, its support, who read its anomalies, and causes of sequences of events."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from minivess.records.base import Record, ShortText, Slug, Statement


class Platform(Record):
    """Hardware and software that SOUP needs to run (IEC 62304 5.3.4)."""

    python: Annotated[str, StringConstraints(pattern=r"^[<>=!~][0-9.*,<>=!~ ]*$", max_length=80)]
    """The versions of Python that the package says it runs on (`Requires-Python`)."""
    builds: Annotated[
        tuple[Literal["any", "linux-arm64", "linux-x86-64", "macos-arm64", "macos-x86-64", "windows-x86-64"], ...],
        Field(min_length=1),
    ]
    """Systems and processors for which the lock file names a built package; `any`: it is not built for one."""
    also: Statement | None = None
    """What it needs beside: a driver, a server, memory."""


Day = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class AnomaliesRead(Record):
    """That a person read what is published about one version of SOUP (IEC 62304 7.1.3)."""

    version: ShortText
    """The version that was judged; it counts for the locked version alone."""
    day: Day
    """The day of the review."""
    by: Slug
    """The reviewer."""
    found: Statement
    """What was found, and what follows from it for this device."""


class Support(Record):
    """How the maker supports some versions of SOUP (FDA, Cybersecurity in Medical Devices 2026, V.A.4(b))."""

    versions: ShortText
    """The version, or its first parts: `3.12` holds for 3.12.1 and not for 3.120."""
    level: Literal["actively maintained", "no longer maintained", "abandoned"]
    """The level of support, in the words of the guidance."""
    ends: Day | None = None
    """The day on which support ends."""
    no_end: ShortText | None = None
    """Why no such day can be stated."""
    plan: Statement | None = None
    """How it is updated or replaced when support ends."""
    assessed: Day
    """The day on which this was found out."""
    source: ShortText
    """Where the maker states it."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.ends is None) == (self.no_end is None):
            raise ValueError("state either the day on which support ends or why there is none")
        return self

    def holds_for(self, version: str) -> bool:
        """Whether it is about a version."""
        return version == self.versions or version.startswith(f"{self.versions}.")


class Cause(StrEnum):
    """What sets a sequence of events going: the kinds of IEC 62304 7.1.2, and what data, people and organisation add."""

    SPECIFICATION = "specification"
    """Incorrect or incomplete specification of what the software does."""
    DEFECT = "defect"
    """A defect in a software item."""
    SOUP = "soup"
    """A failure or unexpected result of SOUP."""
    HARDWARE = "hardware"
    """A failure of hardware or other software that could give unpredictable operation."""
    MISUSE = "misuse"
    """Misuse that can reasonably be foreseen."""
    DATA = "data"
    """What the data are, or are not."""
    ATTACK = "attack"
    """Somebody who means it."""
    ORGANISATION = "organisation"
    """How those who build, judge and release work together."""
