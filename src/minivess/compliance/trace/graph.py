"""The graph of traceability: hazard, risk, control, requirement, scenario and test, result, and code (IEC 62304 7.3.3).

Everything here is derived from the source tree and, when there is one, from one report of results. A report that was
recorded on another tree or lock file is stale: none of its results count (IEC 62304 5.7.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from minivess.compliance.items.features import read_features
from minivess.compliance.items.items import Items, load_items, read_justifications
from minivess.compliance.items.marks import Mark, Marks, reading_marks
from minivess.compliance.results.result_files import is_of
from minivess.compliance.trace.gaps import find_gaps
from minivess.compliance.trace.link_reviews import read_reviews
from minivess.compliance.trace.links import Links
from minivess.foundation.implements import implements
from minivess.foundation.provenance import SourceVersion
from minivess.records.evaluation.case_results import CriterionVerdict
from minivess.records.items.items import Source
from minivess.records.items.trace import CodeLink, Gap, ResultReport, VerificationLink


@dataclass(frozen=True)
class TraceGraph(Links):
    """Items, links and results of one source tree."""

    @classmethod
    @implements("REQ-033")
    def load(
        cls,
        source: Path,
        report: ResultReport | None = None,
        *,
        artifacts: Mapping[str, str] | None = None,
        judge: Callable[[Items], Mapping[str, CriterionVerdict]] | None = None,
        marks: Callable[[], Marks] | None = None,
        version: SourceVersion | None = None,
    ) -> Self:
        """Read a source tree.

        Args:
            source: the folder with requirements/, risk/, features/, src/ and tests/.
            report: results to join; those of another tree or lock file are kept but do not count.
            artifacts: digests of what items rest on beside text, by name, as far as the caller knows them.
            judge: computes the verdicts of the statistical criteria; without it nothing is said about them.
            marks: those of the tree, where somebody has begun to read them (`reading_marks`).
            version: which version of the source this is, where somebody has begun to look.

        Raises:
            InputError: a file is missing or malformed, with file and line.
            CouldNotCheckError: a file of the tree cannot be read.
        """
        if marks is None:
            with reading_marks(source) as begun:
                return cls.load(source, report, artifacts=artifacts, judge=judge, marks=begun, version=version)
        stale = report is not None and not is_of(report, version or SourceVersion(source))
        items = load_items(source)
        verdicts = None if judge is None else judge(items)
        features = read_features(source)
        reviews, justifications = read_reviews(source), read_justifications(source)
        code, tests = marks()
        return cls(
            items=items,
            scenarios=features.scenarios,
            tags=features.tags,
            tests=_links(VerificationLink, tests),
            code=_links(CodeLink, code),
            report=report,
            stale=stale,
            reviews=reviews,
            artifacts=artifacts or {},
            criteria=verdicts,
            justifications=justifications,
        )

    def gaps(self) -> tuple[Gap, ...]:
        """Everything that is missing or wrong, in order of file and line."""
        return self._gaps

    @cached_property
    def _gaps(self) -> tuple[Gap, ...]:
        return find_gaps(self)


def _links[L: (CodeLink, VerificationLink)](kind: type[L], marks: list[Mark]) -> tuple[L, ...]:
    """Marks as records."""
    return tuple(kind(name=name, ids=ids, source=Source(path=path, line=line)) for name, ids, path, line in marks)
