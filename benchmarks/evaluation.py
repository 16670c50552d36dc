"""Print how long the figures of an evaluation take to compute again.

    uv run python benchmarks/evaluation.py

Times are CPU seconds, the least of five rounds: other programs on the machine can only make them longer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from minivess.records.evaluation.intervals import mean_interval

GROUPS, RESAMPLES, ROUNDS = 300, 2000, 5


def row(what: str, found: str, limit: str = "") -> None:
    """Print one figure."""
    print(f"{what:<58} {found:>12}  {limit}")


def least(make: Callable[[], object]) -> float:
    """CPU seconds of the quickest round."""

    def once() -> float:
        begun = time.process_time()
        make()
        return time.process_time() - begun

    return min(once() for _ in range(ROUNDS))


def main() -> None:
    """One interval where each group has one case, and one where each has three."""
    drawn = random.Random(0)  # noqa: S311
    for cases in (1, 3):
        values = [drawn.random() for _ in range(GROUPS * cases)]
        units = [f"group-{number // cases}" for number in range(GROUPS * cases)]
        seconds = least(lambda v=values, u=units: mean_interval(v, u, resamples=RESAMPLES, seed=0))
        what = f"interval: {RESAMPLES:,} resamples of {GROUPS} groups, {cases} case(s) each"
        row(what, f"{seconds:.3f} s CPU", "limit 0.15 s" if cases == 1 else "")


if __name__ == "__main__":
    main()
