"""What belongs together, and whether a split keeps it together.

Cases belong together when they share a subject, an acquisition, the file or series the acquisition came from, or the
image itself, or when their images are near duplicates; also along a chain. Across parts or folds any of this is a leak.
Within a part only copies are worth a word: they count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from minivess.foundation.errors import RefusedError
from minivess.foundation.implements import implements
from minivess.ml.cases.prepared import load_case
from minivess.ml.quality.duplicates import near_duplicates, near_search
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.groups import SHARED, shared_value
from minivess.records.data.leakage import Bond, Leak, LeakageReport
from minivess.records.data.likeness import Likeness, NearDuplicate, NearSearch
from minivess.records.data.split import Part, SplitManifest
from minivess.records.sinks import Progress

_COPIES = frozenset({Bond.IMAGE, Bond.NEAR})


def near(
    manifest: DatasetManifest,
    folder: Path,
    *,
    searched: NearSearch | None = None,
    known: Iterable[NearDuplicate] = (),
    progress: Progress | None = None,
) -> tuple[NearDuplicate, ...]:
    """Near duplicates among prepared cases.

    Args:
        manifest: the data set.
        folder: the folder `data/prepared`.
        searched: an earlier search, compared with the log by the caller; it is used when it holds for these images.
        known: pairs found before; those of sealed cases, whose images nobody can compare any more, are kept.
        progress: hears about each case and pair.

    Raises:
        VerificationError: an array is not the one in its record.
    """
    if searched is not None and near_search.holds(searched, manifest):
        return searched.pairs
    sealed: set[str] = set()

    def images() -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        for case in manifest.cases:
            try:
                yield case.id, load_case(folder, case.id, verify=True).image
            except RefusedError:
                sealed.add(case.id)

    found = near_duplicates.find(images(), progress=progress)
    ids = {case.id for case in manifest.cases}
    return (*found, *(pair for pair in known if sealed & set(pair.cases) and ids >= set(pair.cases)))


@implements("REQ-013", "REQ-086", "REQ-291", "RC-02")
def leaks(manifest: DatasetManifest, split: SplitManifest, pairs: Iterable[NearDuplicate] = ()) -> LeakageReport:
    """Every pair of cases that belongs together and is apart, and every copy within a part.

    Args:
        manifest: the data set.
        split: assigns each of its cases to one part.
        pairs: near duplicates besides those the split names itself; pairs that it states to be no copies are left out.
    """
    place = {case: part for part in Part for case in split.part(part)}
    fold = {case: number for number, one in enumerate(split.folds, start=1) for case in one.held_out}
    order = {case.id: number for number, case in enumerate(manifest.cases)}
    where = {case: (part, fold.get(case, 0)) for case, part in place.items()}
    overruled = {frozenset(pair.cases) for pair in split.not_copies}
    others = [pair for pair in pairs if frozenset(pair.cases) not in overruled]
    across: list[Leak] = []
    within: list[Leak] = []
    for (a, b), shared in sorted(
        _bonds(manifest, where, (*split.near, *others)).items(), key=lambda item: (order[item[0][0]], order[item[0][1]])
    ):
        leak = Leak(
            cases=(a, b),
            parts=(place[a], place[b]),
            folds=(fold[a], fold[b]) if place[a] is place[b] and where[a] != where[b] else None,
            bonds=tuple(shared),
            detail="; ".join(shared.values())[:200],
        )
        (within if where[a] == where[b] else across).append(leak)
    return LeakageReport(
        dataset=manifest.root,
        split=split.root,
        across=tuple(across),
        within=tuple(within),
        not_copies=split.not_copies,
    )


def _bonds(
    manifest: DatasetManifest, where: dict[str, tuple[Part, int]], pairs: Iterable[NearDuplicate]
) -> dict[tuple[str, str], dict[Bond, str]]:
    """What pairs of cases share, in words: pairs that are apart, and copies wherever they are."""
    order = {case.id: number for number, case in enumerate(manifest.cases)}
    bonds: dict[tuple[str, str], dict[Bond, str]] = {}
    for bond in SHARED:
        sharing: dict[str, list[str]] = {}
        for case in manifest.cases:
            value = shared_value(case, bond)
            if value is not None and case.id in where:
                sharing.setdefault(value, []).append(case.id)
        for value, ids in sharing.items():
            if bond not in _COPIES and len({where[case] for case in ids}) == 1:
                continue
            words = "share one image" if bond is Bond.IMAGE else f"share {bond.value.replace('_', ' ')} {value}"[:120]
            for a, b in combinations(ids, 2):
                if bond in _COPIES or where[a] != where[b]:
                    bonds.setdefault((a, b), {})[bond] = words
    for twins in pairs:
        if set(twins.cases) <= where.keys():
            a, b = sorted(twins.cases, key=order.__getitem__)
            words = f"show the same structure ({twins.kind.value}, fit {twins.score:.2f})"
            if twins.kind is Likeness.STATED:
                words = f"are stated to show the same object: {twins.detail}"
            bonds.setdefault((a, b), {}).setdefault(Bond.NEAR, words)
    return bonds
