"""How a check says what it compared: comparisons are counted, and the first difference is kept in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from minivess.foundation.errors import MinivessError


@dataclass
class Comparisons:
    """What one check found so far."""

    number: int = 0
    wrong: list[str] = field(default_factory=list)

    def same(self, what: str, found: object, expected: object) -> None:
        """Compare two values exactly."""
        self.holds(f"{what}: {_short(found)} instead of {_short(expected)}", found == expected)

    def close(self, what: str, found: float | None, expected: float | None, *, within: float) -> None:
        """Compare two numbers; None is a number that is not defined, and equals itself alone."""
        if found is None or expected is None:
            self.same(what, found, expected)
        else:
            alike = math.isclose(found, expected, rel_tol=0.0, abs_tol=within)
            self.holds(f"{what}: {found!r} instead of {expected!r}", alike)

    def holds(self, otherwise: str, condition: bool) -> None:
        """Count a comparison that was made; `otherwise` are the words when it does not hold."""
        self.number += 1
        if not condition:
            self.wrong.append(otherwise)

    @contextmanager
    def refused(self, what: str) -> Iterator[None]:
        """The block must be refused with an error that this software explains."""
        try:
            yield
        except MinivessError:
            self.number += 1
        else:
            self.holds(f"{what}: it was not refused", condition=False)


@dataclass(frozen=True)
class CheckRow:
    """One row of the table of checks."""

    name: str
    title: str
    run: Callable[[Comparisons], Any]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
