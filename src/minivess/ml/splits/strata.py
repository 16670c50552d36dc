"""Dealing groups of cases to parts and folds: by seed, and balanced by strata.

Chance is the order of SHA-256 of seed and subject, and shares are counted in whole numbers, so what is dealt is the same
on every machine and library version.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from minivess.records.data.dataset import CaseRecord
from minivess.records.data.groups import Groups
from minivess.records.data.split import Stratum

Group = tuple[CaseRecord, ...]

_BINS = ("low", "middle", "high")


def strata(cases: Sequence[CaseRecord], by: Sequence[Stratum]) -> dict[str, str]:
    """The stratum of every case, in words; without anything to stratify by, all cases are in `all`.

    Foreground is cut into three bins of equally many cases.
    """
    ordered = sorted(cases, key=lambda case: (case.foreground_fraction, case.id))
    bins = {case.id: _BINS[3 * number // len(ordered)] for number, case in enumerate(ordered)}
    named: dict[str, str] = {}
    for case in cases:
        words = []
        for stratum in by:
            value = f"{bins[case.id]} foreground" if stratum is Stratum.FOREGROUND else _stated(case, stratum)
            words.append(str(value) if value is not None else f"{stratum.value} unknown")
        named[case.id] = ", ".join(words) or "all"
    return named


def _stated(case: CaseRecord, stratum: Stratum) -> str | None:
    """A field of a case, or one of its attributes."""
    value: str | None = getattr(case, stratum.value, None)
    return case.attributes.get(stratum.value) if value is None else value


def draw(groups: Iterable[Group], count: int, seed: int, stratum: dict[str, str]) -> Groups:
    """Draw `count` groups, from every stratum its share (largest remainders, Hamilton's method)."""
    classes = _classes(groups, stratum)
    total = sum(len(members) for members in classes.values())
    exact = {name: Fraction(count * len(members), total) for name, members in classes.items()}
    shares = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(classes, key=lambda name: (shares[name] - exact[name], name))
    for name in by_remainder[: count - sum(shares.values())]:
        shares[name] += 1
    return tuple(
        one
        for name, members in classes.items()
        for one in sorted(members, key=lambda g: _rank(g, seed))[: shares[name]]
    )


def deal(groups: Iterable[Group], folds: int, seed: int, stratum: dict[str, str]) -> tuple[Groups, ...]:
    """Deal groups to folds: the largest first, each to the fold with fewest cases of its stratum, then fewest in all."""
    dealt: list[list[Group]] = [[] for _ in range(folds)]
    sizes = [0] * folds
    for members in _classes(groups, stratum).values():
        held = [0] * folds
        for one in sorted(members, key=lambda group: (-len(group), _rank(group, seed))):
            fold = min(range(folds), key=lambda number: (held[number], sizes[number], number))
            dealt[fold].append(one)
            held[fold] += len(one)
            sizes[fold] += len(one)
    return tuple(tuple(members) for members in dealt)


def _classes(groups: Iterable[Group], stratum: dict[str, str]) -> dict[str, list[Group]]:
    """Groups by the stratum most of their cases are in (the first by name when several tie), in order of name."""
    classes: dict[str, list[Group]] = {}
    for one in groups:
        counts = Counter(stratum[case.id] for case in one)
        classes.setdefault(min(counts, key=lambda name: (-counts[name], name)), []).append(one)
    return dict(sorted(classes.items()))


def _rank(group: Group, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{min(case.subject for case in group)}".encode()).digest()
