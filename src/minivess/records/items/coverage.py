"""Which lines of the source tree the tests ran, as one run measured it (IEC 62304 5.5.2, 5.5.4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from minivess.foundation.digests import Digest
from minivess.records.base import Record, ShortText

_Count = Annotated[int, Field(ge=0)]


class FileCoverage(Record):
    """One file of the source tree."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """Relative to the source folder."""
    statements: _Count
    covered: _Count
    """Statements that were run."""
    branches: _Count = 0
    """Ways out of conditions; 0 where branches were not measured."""
    covered_branches: _Count = 0
    missing: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Lines of statements that were not run."""


class CoverageReport(Record):
    """The coverage of one run of the tests, valid for the source tree of their results."""

    format: Literal["minivess-coverage/1"] = "minivess-coverage/1"
    tool: ShortText
    """What measured it, with its version."""
    commit: str | None
    tree: Digest
    """The source tree, as the results name it."""
    scope: Literal["scenarios", "all tests"]
    files: tuple[FileCoverage, ...]
    """In order of path."""

    @property
    def statements(self) -> int:
        """Of all files."""
        return sum(one.statements for one in self.files)

    @property
    def covered(self) -> int:
        """Statements of all files that were run."""
        return sum(one.covered for one in self.files)

    @property
    def words(self) -> str:
        """How many statements, and branches where they were measured, were run."""
        branches = sum(one.branches for one in self.files)
        run = sum(one.covered_branches for one in self.files)
        more = f" and {run:,} of {branches:,} branches" if branches else ""
        return f"{self.covered:,} of {self.statements:,} statements{more} were run by {self.scope}"
