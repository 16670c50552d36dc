"""A source tree, read once: its items and links, what they lack, its risk file, and which version of the tree it is.

A command reads the tree once and hands it on, so that every verdict it gives is about the same state of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Self

from minivess.compliance.items.history import Revision, history_of
from minivess.compliance.items.items import Items
from minivess.compliance.items.marks import Marks
from minivess.compliance.results.evidence_files import read_results
from minivess.compliance.risk.risk_file import RiskFile
from minivess.compliance.trace.graph import TraceGraph
from minivess.compliance.trace.justified_gaps import JudgedGap, judged
from minivess.foundation.digests import digest_file
from minivess.foundation.implements import implements
from minivess.foundation.provenance import SourceVersion
from minivess.records.evaluation.case_results import CriterionVerdict


@dataclass(frozen=True)
class Tree:
    """One state of a source tree. What is not read at the start is read when it is first asked for, and then kept."""

    version: SourceVersion
    graph: TraceGraph
    today: date
    """The day for which justifications are judged."""
    results: str | None = None
    """Digest of the file of recorded results that the graph joins; None without one."""

    @classmethod
    @implements("REQ-193")
    def read(
        cls,
        source: Path,
        *,
        today: date,
        results: Path | None = None,
        artifacts: Mapping[str, str] | None = None,
        judge: Callable[[Items], Mapping[str, CriterionVerdict]] | None = None,
        marks: Callable[[], Marks] | None = None,
    ) -> Self:
        """Read a source tree.

        Args:
            source: the folder with requirements/, risk/, features/, src/ and tests/.
            today: the day for which justifications are judged.
            results: recorded results to join; those of another tree or lock file are kept but do not count.
            artifacts: as for `TraceGraph.load`.
            judge: as for `TraceGraph.load`.
            marks: as for `TraceGraph.load`.

        Raises:
            InputError: a file is missing or malformed, with file and line.
            CouldNotCheckError: a file of the tree cannot be read.
        """
        version = SourceVersion(source)
        report = None if results is None else read_results(results, source)
        graph = TraceGraph.load(source, report, artifacts=artifacts, judge=judge, marks=marks, version=version)
        return cls(version, graph, today, None if results is None else digest_file(results))

    @property
    def source(self) -> Path:
        """The folder."""
        return self.version.folder

    @property
    def items(self) -> Items:
        """The items in requirements/ and risk/."""
        return self.graph.items

    @cached_property
    def gaps(self) -> tuple[JudgedGap, ...]:
        """Every gap, open or justified, in order of file and line."""
        return judged(self.graph, self.graph.gaps(), self.today)

    @cached_property
    def risks(self) -> RiskFile:
        """The risk management file.

        Raises:
            InputError: there is no plan.
        """
        return RiskFile.of(self.items)

    @cached_property
    def revisions(self) -> dict[str, tuple[Revision, ...]]:
        """The commits of each item, by id, newest first; empty without git."""
        return history_of(self.source, self.items.all())
