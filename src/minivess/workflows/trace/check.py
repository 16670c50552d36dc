"""The check of a source tree: every gap, whether a justification closes it, and justifications without a gap."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from minivess.compliance.items.marks import reading_marks
from minivess.foundation.clock import utc_now
from minivess.foundation.implements import implements
from minivess.workflows.trace.source_trees import read_tree, source_of

if TYPE_CHECKING:
    from minivess.compliance.trace.justified_gaps import JudgedGap
    from minivess.records.evaluation.case_results import CriterionVerdict
    from minivess.records.items.justification import Justification


@dataclass(frozen=True)
class CheckedTree:
    """What the check of a source tree found."""

    gaps: tuple[JudgedGap, ...]
    idle: tuple[Justification, ...]
    """Justifications of gaps that are not there."""
    checked: Mapping[str, int]
    """How many of each kind were checked. A kind of which there is none is a gap."""
    criteria: tuple[CriterionVerdict, ...] = ()
    """The statistical criteria, judged by the results of cases; empty without such results."""

    @property
    def still_open(self) -> int:
        """Number of gaps that no justification closes."""
        return sum(one.open for one in self.gaps)


@implements("REQ-031")
def check_tree(
    project: Path, source: Path | None = None, *, results: Path | None = None, cases: Path | None = None
) -> CheckedTree:
    """Check every link of a source tree.

    In a project its recorded results count, as they do for the matrix and the gates of a release.

    Args:
        project: the folder of the project.
        source: a tree other than the project's own.
        results: recorded results other than the project's own; with results, untested means not passed.
        cases: results of cases, by which statistical criteria are judged.

    Raises:
        InputError: a file is missing or malformed, with file and line.
    """
    with reading_marks(source_of(project, source)) as marks:  # begins while what makes a graph of them is imported
        from minivess.compliance.trace.justified_gaps import idle_justifications

        judge = None
        if cases is not None:
            from minivess.workflows.trace.statistical_criteria import judge_all, read_cases

            judge = partial(judge_all, cases=read_cases(cases))
        tree = read_tree(project, source, results, now=utc_now(), judge=judge, marks=marks)
    gc.freeze()  # all of it stays until the end, so that collections need not look through it
    idle = idle_justifications(tree.graph, [one.gap for one in tree.gaps])
    items, graph = tree.items, tree.graph
    checked = {
        "requirements": len(items.requirements),
        "risks": len(items.risks),
        "controls": len(items.controls),
        "scenarios": len(graph.scenarios),
    }
    return CheckedTree(tuple(tree.gaps), tuple(idle), checked, tuple((graph.criteria or {}).values()))
