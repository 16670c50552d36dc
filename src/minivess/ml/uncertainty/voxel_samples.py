"""A sample of a case's voxels with weights, so that a weighted fit estimates the fit on all voxels.

A plain random sample of a volume misses a small lesion, and misses the few background voxels with high logits, which
decide a temperature. So voxels are drawn in strata: by class, and in each class by logit. A stratum with few voxels is
taken whole. The weight of a voxel is the number of voxels that it represents, so that weighted sums over the sample are
unbiased estimates of sums over all voxels (Horvitz & Thompson 1952; Cochran, Sampling Techniques, 1977, chapter 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.implements import implements

STRATA = 256
"""Intervals of equal width of the logits of a class."""


@dataclass(frozen=True)
class VoxelSample:
    """Logits, labels and weights of voxels: of one class (n) with labels foreground or not; or of several outputs (outputs, n)
    with labels that are indices of outputs."""

    logits: NDArray[np.float32]
    labels: NDArray[np.bool_] | NDArray[np.uint8]
    weights: NDArray[np.float64]

    def weighing(self, total: float) -> Self:
        """The same voxels, with weights that sum to `total`; a sample without voxels stays as it is."""
        weights = self.weights
        return replace(self, weights=weights * (total / weights.sum())) if weights.size else self

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The samples of several cases, at least one, as one sample."""
        return cls(
            np.concatenate([part.logits for part in parts], axis=-1),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.weights for part in parts]),
        )


@implements("REQ-239")
def draw_voxels(
    rng: np.random.Generator, logits: NDArray[np.float32], labels: NDArray[np.bool_], size: int
) -> VoxelSample:
    """At most `size` voxels, drawn without replacement; all of them with weight 1 where there are no more.

    Each class gets half of the sample, and what the other class does not need.

    Args:
        rng: draws the voxels.
        logits: finite logits of any shape.
        labels: whether each is foreground, of the same shape.
        size: voxels to draw, at least 2.
    """
    values, inside = logits.ravel(), labels.ravel()
    foreground, background = np.flatnonzero(inside), np.flatnonzero(~inside)
    share = min(foreground.size, max(size // 2, size - background.size))
    drawn = []
    for places, budget in ((foreground, share), (background, min(background.size, size - share))):
        kept, weights = _stratified(rng, values[places], budget)
        drawn.append(VoxelSample(values[places[kept]], inside[places[kept]], weights))
    return VoxelSample.joined(drawn)


@implements("REQ-239")
def draw_voxels_of_classes(
    rng: np.random.Generator, logits: NDArray[np.float32], labels: NDArray[np.uint8], size: int
) -> VoxelSample:
    """At most `size` voxels of several outputs, drawn as `draw_voxels` does.

    Each output that has voxels gets an equal share. The strata are intervals of how far the logit of the voxel's own output is
    above the largest other one.

    Args:
        rng: draws the voxels.
        logits: finite, (outputs, *shape).
        labels: indices of outputs, (*shape).
        size: voxels to draw, at least the number of outputs.
    """
    values, truth = logits.reshape(logits.shape[0], -1), labels.ravel()
    if not truth.size:
        return VoxelSample(values, truth, np.ones(0))
    places = [found for number in range(values.shape[0]) if (found := np.flatnonzero(truth == number)).size]
    shares = _shares(np.array([found.size for found in places], np.intp), min(size, truth.size))
    drawn = []
    for found, share in zip(places, shares, strict=True):
        own = values[:, found]
        label = int(truth[found[0]])
        margins = own[label] - np.delete(own, label, axis=0).max(axis=0)
        kept, weights = _stratified(rng, margins, share)
        drawn.append(VoxelSample(own[:, kept], truth[found[kept]], weights))
    return VoxelSample.joined(drawn)


def _stratified(
    rng: np.random.Generator, values: NDArray[np.float32], budget: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Places and weights of `budget` values, drawn from intervals of equal width."""
    if values.size <= budget:
        return np.arange(values.size), np.ones(values.size)
    strata = min(STRATA, budget)
    low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) * (strata / (high - low) if high > low else 0.0)
    stratum = np.minimum(scaled, strata - 1).astype(np.uint16)
    order = np.argsort(stratum, kind="stable")
    counts = np.bincount(stratum, minlength=strata)
    ends = np.cumsum(counts)
    places, weights = [], []
    for index, share in enumerate(_shares(counts, budget)):
        if share:
            members = order[ends[index] - counts[index] : ends[index]]
            whole = share == members.size
            places.append(members if whole else members[rng.choice(members.size, share, replace=False, shuffle=False)])
            weights.append(np.full(share, members.size / share))
    return np.concatenate(places), np.concatenate(weights)


def _shares(counts: NDArray[np.intp], budget: int) -> list[int]:
    """How many voxels each stratum gives: equally many, and all where it has fewer."""
    shares, left = [0] * counts.size, budget
    filled = [int(index) for index in np.argsort(counts, kind="stable") if counts[index]]
    for rank, index in enumerate(filled):
        shares[index] = min(int(counts[index]), left // (len(filled) - rank))
        left -= shares[index]
    return shares
