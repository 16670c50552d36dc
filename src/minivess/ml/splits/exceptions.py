"""What a person states about pairs of cases: `split.not_copies` and `split.same` in the project file.

The search for near duplicates can be wrong in both directions. A statement overrules it for one pair. The locked split
contains each statement with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.likeness import Likeness, NearDuplicate, OverruledPair, StatedPair
from minivess.records.data.split import Split


@dataclass(frozen=True)
class JudgedPairs:
    """Pairs after the statements of the plan.

    Attributes:
        near: pairs that show the same object, found or stated.
        not_copies: pairs that are stated to be no copies.
    """

    near: tuple[NearDuplicate, ...]
    not_copies: tuple[OverruledPair, ...]


@implements("REQ-291")
def apply(manifest: DatasetManifest, plan: Split, found: Iterable[NearDuplicate]) -> JudgedPairs:
    """Apply `not_copies` and `same` of a plan to the pairs that a search found.

    Args:
        manifest: the data set.
        plan: states pairs of its cases.
        found: the near duplicates of the search.

    Raises:
        UsageError: a statement names a case that does not exist, or states that cases with the identical image are no
            copies.
    """
    known = {case.id: case for case in manifest.cases}
    for name, pairs in (("not_copies", plan.not_copies), ("same", plan.same)):
        for pair in pairs:
            _check_known(f"split.{name}", pair, known)
    for case, other, _ in plan.not_copies:
        if known[case].image == known[other].image:
            raise UsageError(
                f"split.not_copies names {case} and {other}, and their images are identical",
                hint="remove the statement: identical images always stay together",
            )
    alike = {frozenset(pair.cases): pair for pair in found}
    overruled = tuple(
        OverruledPair(cases=(case, other), reason=reason, found=alike.pop(frozenset((case, other)), None))
        for case, other, reason in plan.not_copies
    )
    for case, other, reason in plan.same:
        alike[frozenset((case, other))] = NearDuplicate(
            cases=(case, other), kind=Likeness.STATED, score=1.0, detail=reason
        )
    return JudgedPairs(tuple(alike.values()), overruled)


def _check_known(setting: str, pair: StatedPair, known: dict[str, CaseRecord]) -> None:
    for case in pair[:2]:
        if case not in known:
            raise UsageError(f"{setting} names the case {case}, which does not exist", hint="correct minivess.yaml")
