"""The interval as the page of the evaluation record describes it, written a second time and run by any Python from 3.9 on.

    python interval_by_hand.py < question.json

The question has `values`, `units`, `resamples`, `seed` and `level`; the answer has `mean`, `lower` and `upper`.
"""

from __future__ import annotations

import json
import math
import random
import sys


def interval(
    values: list[float], units: list[str], resamples: int, seed: int, level: float
) -> tuple[float, float | None, float | None]:
    names = sorted(set(units))
    mean = math.fsum(values) / len(values)
    if len(names) < 2:
        return mean, None, None
    rows = [[values[place] for place, unit in enumerate(units) if unit == name] for name in names]
    generator = random.Random(seed)  # noqa: S311
    means: list[float] = []
    while len(means) < resamples:
        drawn = [rows[int(generator.random() * len(names))] for _ in names]
        total = math.fsum(math.fsum(row) for row in drawn)
        means.append(total / sum(len(row) for row in drawn))
    ranked = sorted(means)
    first = math.floor((1 - level) / 2 * (resamples - 1))
    last = math.ceil((1 + level) / 2 * (resamples - 1))
    return mean, ranked[first], ranked[last]


if __name__ == "__main__":
    print(json.dumps(interval(**json.load(sys.stdin))))
