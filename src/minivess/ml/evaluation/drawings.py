"""Pictures of evaluated cases as encoded bytes, and the album that keeps them within bounded memory.

A case is drawn while it is evaluated, because its arrays are not kept. Which cases a report shows is known at the end. So the
album keeps a small picture of every case and large ones of a bounded number of cases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from minivess.foundation.implements import implements

MOST_DETAILED = 128
"""Cases of which an album keeps large pictures, besides the best and the worst: about 20 MB of encoded bytes, 70 MB of noise."""
_TALL = 90
"""Pixels."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture."""

    kind: str
    """`webp` or `png`."""
    data: bytes
    width: int
    """In pixels."""
    height: int


@dataclass(frozen=True)
class ScaleBar:
    """A bar of a known length."""

    share: float
    """Of the width of its panel."""
    text: str


@dataclass(frozen=True)
class Panel:
    """One view of a case: a plane of a volume, a projection of it, or a flat image."""

    title: str
    """Which view it is; empty where there is one."""
    projection: bool
    image: Picture
    masks: Picture
    """Of a plane the outlines of both masks, transparent elsewhere; of a projection the areas of both masks on black."""
    of_classes: tuple[Picture, Picture] | None
    """With several classes: reference and prediction, each class in its colour, on black. None for one class."""
    bar: ScaleBar
    edges: tuple[str, str, str, str]
    """What is at the left, right, top and bottom edge: anatomical directions, or the axis that grows to the right and bottom."""

    @property
    def tall(self) -> bool:
        """Whether there is room for words at the edges."""
        return self.image.height >= _TALL

    @property
    def directions(self) -> str:
        """The edges in words."""
        left, right, top, bottom = self.edges
        return f"{left} to {right}, {top} to {bottom}" if left else f"{right}, {bottom}"


@dataclass(frozen=True)
class CaseDrawing:
    """The pictures of one case."""

    case: str
    dice: float
    """The mean over its classes."""
    thumbnail: Picture
    panels: tuple[Panel, ...]
    """Empty where the album keeps no large pictures of the case."""
    classes: tuple[tuple[str, str], ...]
    """Name and colour of each class, as CSS writes it; empty for one class."""


def drawing_order(cases: Iterable[str], seed: int) -> list[str]:
    """Cases in a random order that follows from the seed and their names: that of SHA-256 of `seed:case`."""
    return sorted(cases, key=lambda case: hashlib.sha256(f"{seed}:{case}".encode()).digest())


class Album:
    """The drawings of an evaluation.

    Large pictures are kept of the best case, the worst case and `most` others: those that come first in the order of
    `drawing_order`. So the choice does not depend on the order of the cases or on their figures.
    """

    def __init__(self, seed: int = 0, most: int = MOST_DETAILED) -> None:
        self._seed, self._most = seed, most
        self._held: dict[str, CaseDrawing] = {}
        self._detailed: dict[str, float] = {}

    @implements("REQ-400")
    def add(self, drawing: CaseDrawing) -> None:
        """Keep the drawing of a case; a case that was drawn before is replaced."""
        self._held[drawing.case] = drawing
        if drawing.panels:
            self._detailed[drawing.case] = drawing.dice
        while len(self._detailed) > self._most + 2:
            ranked = sorted(self._detailed, key=lambda case: (self._detailed[case], case))
            best = min(self._detailed, key=lambda case: (-self._detailed[case], case))
            others = drawing_order(set(self._detailed) - {ranked[0], best}, self._seed)
            self._held[others[-1]] = replace(self._held[others[-1]], panels=())
            del self._detailed[others[-1]]

    def get(self, case: str) -> CaseDrawing | None:
        """The drawing of a case; None where it was not drawn."""
        return self._held.get(case)

    def __len__(self) -> int:
        """Cases that were drawn."""
        return len(self._held)
