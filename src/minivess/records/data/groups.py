"""Which cases of a data set belong together: they are never in different parts of a split, and the seal fixes them."""

from __future__ import annotations

from collections.abc import Iterable

from minivess.foundation.implements import implements
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.leakage import Bond
from minivess.records.data.likeness import NearDuplicate
from minivess.records.data.split import SplitManifest

GENERATED = "generator"
"""The source format of cases that the generator made."""

Groups = tuple[tuple[CaseRecord, ...], ...]

SHARED = (Bond.SUBJECT, Bond.ACQUISITION, Bond.ORIGIN, Bond.FRAME, Bond.IMAGE)
"""Fields of a case: cases with the same value belong together, also along a chain."""


@implements("REQ-013", "REQ-086", "RC-02")
def group(manifest: DatasetManifest, pairs: Iterable[NearDuplicate] = ()) -> Groups:
    """Cases that must stay together, as groups in order of their first case."""
    leader = list(range(len(manifest.cases)))
    index = {case.id: number for number, case in enumerate(manifest.cases)}

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for bond in SHARED:
        first: dict[str, int] = {}
        for number, case in enumerate(manifest.cases):
            value = shared_value(case, bond)
            if value is not None:
                leader[find(number)] = find(first.setdefault(value, number))
    for pair in pairs:
        leader[find(index[pair.cases[1]])] = find(index[pair.cases[0]])
    groups: dict[int, list[CaseRecord]] = {}
    for number, case in enumerate(manifest.cases):
        groups.setdefault(find(number), []).append(case)
    return tuple(tuple(cases) for cases in groups.values())


def groups_of(manifest: DatasetManifest, split: SplitManifest) -> dict[str, str]:
    """The group of each case, by case: the first case, in order of id, of those that the split keeps together."""
    table = {}
    for cases in group(manifest, split.near):
        name = min(case.id for case in cases)
        table.update({case.id: name for case in cases})
    return table


@implements("REQ-279")
def own_subjects(manifest: DatasetManifest) -> str | None:
    """The sentence about a set in which every case is its own subject; None for any other set.

    Cases of the generator are left out: their subjects are known.
    """
    cases = manifest.cases
    taken = any(case.source_format != GENERATED for case in cases)
    if not taken or len(cases) < 2 or len({case.subject for case in cases}) < len(cases):
        return None
    return (
        f"every case is its own subject ({len(cases)} cases): cases of one animal or patient can be in different parts of "
        "a split"
    )


def shared_value(case: CaseRecord, bond: Bond) -> str | None:
    """What a case has in the field of a bond; None when it has none."""
    value = getattr(case, bond.value)
    return None if value is None else str(value)
