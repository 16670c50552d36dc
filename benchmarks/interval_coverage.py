"""Print how often the intervals of evaluations contain the true mean, and how often tests and sample sizes are right.

    uv run python benchmarks/interval_coverage.py            (about two minutes on two cores)

Each row draws test sets from a distribution whose mean is known. Every figure is a share of `SAMPLES` test sets, so that its
standard error is at most .012 at .92. Rows below .92 are marked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from minivess.records.evaluation.comparison.permutation import holm, sign_flips
from minivess.records.evaluation.comparison.sample_size import groups_needed
from minivess.records.evaluation.statistics.distributions import binomial_upper, student_t
from minivess.records.evaluation.statistics.intervals import group_interval
from minivess.records.evaluation.statistics.summaries import FEW_GROUPS

Values = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Values]

SAMPLES, RESAMPLES, LEVEL, ASKED = 2_000, 400, 0.95, 0.92
GROUPS = (3, 4, 6, 10, 15, 19, 20, 30, 50)


def _failing(generator: np.random.Generator, shape: tuple[int, ...]) -> Values:
    """One group in ten fails."""
    return np.where(generator.random(shape) < 0.1, 0.3, 0.9) + generator.normal(0, 0.02, shape)


DISTRIBUTIONS: dict[str, tuple[Draw, float]] = {
    "normal (.85, .05)": (lambda g, shape: g.normal(0.85, 0.05, shape), 0.85),
    "Dice-like: beta (18, 3)": (lambda g, shape: g.beta(18, 3, shape), 18 / 21),
    "near 1: beta (30, 1)": (lambda g, shape: g.beta(30, 1, shape), 30 / 31),
    "distance: lognormal (1, .6)": (lambda g, shape: g.lognormal(1, 0.6, shape), float(np.exp(1 + 0.18))),
    "one group in ten fails": (_failing, 0.84),
}


def by_t(means: Values) -> NDArray[np.float64]:
    """Half the width of Student's t of each row."""
    count = means.shape[1]
    return np.asarray(student_t(LEVEL, count - 1) * means.std(axis=1, ddof=1) / np.sqrt(count))


def by_percentile(generator: np.random.Generator, means: Values) -> tuple[Values, Values]:
    """The limits of the percentile bootstrap of each row."""
    limits = []
    for rows in np.array_split(means, 20):
        picks = generator.integers(rows.shape[1], size=(len(rows), RESAMPLES, rows.shape[1]))
        drawn = np.take_along_axis(rows[:, None, :], picks, axis=2).mean(axis=2)
        limits.append(np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1))
    low, high = np.concatenate(limits, axis=1)
    return low, high


def stated(draw: Draw, groups: int) -> float:
    """The coverage that an evaluation prints beside its interval, as the mean over 25 test sets."""
    generator, names = np.random.default_rng(1), [f"g{place}" for place in range(groups)]
    found = [
        group_interval(draw(generator, (groups,)).tolist(), names, resamples=1000, seed=place).coverage
        for place in range(25)
    ]
    return float(np.mean([one for one in found if one is not None])) if groups >= 4 else float("nan")


def intervals() -> None:
    """Coverage of both methods, of the one that an evaluation uses, and what it prints beside it."""
    print(f"{'distribution':<30}{'groups':>7}{'t':>7}{'perc.':>7}{'used':>7}{'stated':>8}")
    for name, (draw, mean) in DISTRIBUTIONS.items():
        for groups in GROUPS:
            generator = np.random.default_rng(groups)
            means = draw(generator, (SAMPLES, groups))
            t = float(np.mean(np.abs(means.mean(axis=1) - mean) <= by_t(means)))
            low, high = by_percentile(generator, means)
            percentile = float(np.mean((low <= mean) & (mean <= high)))
            used = t if groups < FEW_GROUPS else percentile
            mark = "  < .92" if used < ASKED else ""
            print(f"{name:<30}{groups:>7}{t:>7.3f}{percentile:>7.3f}{used:>7.3f}{stated(draw, groups):>8.3f}{mark}")


def hierarchy() -> None:
    """Groups with unequal numbers of subjects and cases: what is drawn again, and what a group is the mean of."""
    print(f"\n{'groups of 1-3 subjects of 1-8 cases':<44}{'groups':>7}{'covers':>8}{'width':>8}")
    for groups in (6, 10, 20):
        generator, hits = np.random.default_rng(groups), dict.fromkeys(_WAYS, 0)
        widths = dict.fromkeys(_WAYS, 0.0)
        for _ in range(400):
            tree = _tree(generator, groups)
            for name, way in _WAYS.items():
                low, high = way(generator, tree)
                hits[name] += low <= 0.85 <= high
                widths[name] += high - low
        for name in _WAYS:
            print(f"{name:<44}{groups:>7}{hits[name] / 400:>8.3f}{widths[name] / 400:>8.3f}")


Tree = list[list[Values]]


def _tree(generator: np.random.Generator, groups: int) -> Tree:
    """Groups of subjects of cases, with standard deviations of .04, .02 and .03 around .85."""
    return [
        [
            0.85 + group + generator.normal(0, 0.02) + generator.normal(0, 0.03, generator.integers(1, 9))
            for _ in range(generator.integers(1, 4))
        ]
        for group in generator.normal(0, 0.04, groups)
    ]


def _t_of(means: Values) -> tuple[float, float]:
    half = float(by_t(means[None])[0])
    return float(means.mean()) - half, float(means.mean()) + half


def _over_cases(generator: np.random.Generator, tree: Tree) -> tuple[float, float]:
    del generator
    return _t_of(np.concatenate([subject for group in tree for subject in group]))


def _over_groups(generator: np.random.Generator, tree: Tree) -> tuple[float, float]:
    del generator
    return _t_of(np.array([np.concatenate(group).mean() for group in tree]))


def _over_subjects_in_groups(generator: np.random.Generator, tree: Tree) -> tuple[float, float]:
    del generator
    return _t_of(np.array([np.mean([subject.mean() for subject in group]) for group in tree]))


def _percentile_of_groups(generator: np.random.Generator, tree: Tree) -> tuple[float, float]:
    low, high = by_percentile(generator, np.array([[np.concatenate(group).mean() for group in tree]]))
    return float(low[0]), float(high[0])


def _drawn_at_each_level(generator: np.random.Generator, tree: Tree) -> tuple[float, float]:
    """Groups, their subjects and their cases are each drawn again (the hierarchical bootstrap)."""
    drawn = []
    for _ in range(200):
        means = []
        for group in (tree[place] for place in generator.integers(len(tree), size=len(tree))):
            subjects = [group[place] for place in generator.integers(len(group), size=len(group))]
            means.append(np.concatenate([one[generator.integers(one.size, size=one.size)] for one in subjects]).mean())
        drawn.append(np.mean(means))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


_WAYS: dict[str, Callable[[np.random.Generator, Tree], tuple[float, float]]] = {
    "t over all cases": _over_cases,
    "t over groups, means of cases (used)": _over_groups,
    "t over groups, means of subjects": _over_subjects_in_groups,
    "percentile, groups drawn": _percentile_of_groups,
    "percentile, all three levels drawn": _drawn_at_each_level,
}


def failures() -> None:
    """The bound of Clopper and Pearson covers every true share."""
    print(f"\n{'share of failures':<44}{'groups':>7}{'covers':>8}")
    for share in (0.02, 0.1, 0.3):
        for groups in (6, 20, 60):
            failed = np.random.default_rng(groups).binomial(groups, share, SAMPLES)
            covers = np.mean([binomial_upper(int(one), groups, LEVEL) >= share for one in failed])
            print(f"{share:<44}{groups:>7}{covers:>8.3f}")


def tests() -> None:
    """How often equal models are called different, in one measure and in any of four."""
    print(f"\n{'equal models called different at .05':<44}{'groups':>7}{'one':>8}{'of four':>8}{'Holm':>8}")
    for name, (draw, _) in DISTRIBUTIONS.items():
        for groups in (6, 12, 25):
            generator = np.random.default_rng(groups)
            ps = [
                [
                    sign_flips((draw(generator, (groups,)) - draw(generator, (groups,))).tolist(), seed=0).p
                    for _ in range(4)
                ]
                for _ in range(500)
            ]
            one, any_of = np.mean([row[0] <= 0.05 for row in ps]), np.mean([min(row) <= 0.05 for row in ps])
            corrected = np.mean([min(holm(row)) <= 0.05 for row in ps])
            print(f"{name:<44}{groups:>7}{one:>8.3f}{any_of:>8.3f}{corrected:>8.3f}")


def sample_sizes() -> None:
    """The power that is reached with the number of groups that is stated for .80, planned from the true spread."""
    print(f"\n{'power .80 planned':<44}{'limit':>7}{'groups':>8}{'t':>8}{'perc.':>8}")
    for name, (draw, mean) in list(DISTRIBUTIONS.items())[:3]:
        generator = np.random.default_rng(0)
        spread = float(draw(generator, (100_000,)).std())
        for inside in (0.3, 0.5, 0.8):
            planned = [mean + spread * one / np.std([-1, 1], ddof=1) for one in (-1.0, 1.0)]
            limit = mean - inside * spread
            needed = groups_needed(planned, limit).needed
            if needed is None:
                continue
            means = draw(generator, (SAMPLES, needed))
            t = np.mean(means.mean(axis=1) - by_t(means) >= limit)
            percentile = np.mean(by_percentile(generator, means)[0] >= limit)
            print(f"{name:<44}{limit:>7.3f}{needed:>8}{t:>8.3f}{percentile:>8.3f}")


def main() -> None:
    """Print all tables."""
    for table in (intervals, hierarchy, failures, tests, sample_sizes):
        table()


if __name__ == "__main__":
    main()
