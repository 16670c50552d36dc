"""Which pairs of images are worth laying on each other.

Of few images every pair is compared by all turned and scaled fingerprints. Of many, each image has a short list of those
with the most similar invariants first, and only that list is compared. The comparison of invariants grows with the
square of the number of images and costs about 1/180 of the full one; everything else grows with the number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minivess.foundation.implements import implements
from minivess.ml.quality.duplicates.image_registration import Array
from minivess.ml.quality.duplicates.spectra import hypotheses, invariants

FEW = 400
"""Up to so many images, every pair is compared in full."""
LISTED = 60
"""Images on the short list of each image."""
_RANKED = 2
_LIKELY = 0.42
_MOST = 12


@implements("REQ-294")
def candidates(prints: list[Array], *, few: int = FEW, listed: int = LISTED) -> list[tuple[int, int]]:
    """The best partners of every image, and all likely ones, as pairs of positions in order.

    Args:
        prints: fingerprints of the views of every image, each (views, scales, length).
        few: up to so many images, every pair is compared in full.
        listed: images on the short list of each image, where there are more.
    """
    everyone = np.arange(len(prints))
    lists = [everyone] * len(prints) if len(prints) <= few else _short_lists(prints, listed)
    scores: list[dict[int, float]] = [{} for _ in prints]
    for index, (views, partners) in enumerate(zip(prints, lists, strict=True)):
        upright, starts = _upright([prints[other] for other in partners], 0)
        row = np.full(len(partners), -1.0, np.float32)
        for one in views:
            best = (upright @ hypotheses(one).T).max(axis=1)
            row = np.maximum(row, np.maximum.reduceat(best, starts))
        for other, score in zip(partners.tolist(), row.tolist(), strict=True):
            if other != index:
                scores[index][other] = max(score, scores[index].get(other, -1.0))
                scores[other][index] = max(score, scores[other].get(index, -1.0))
    pairs = set()
    for index, row_of in enumerate(scores):
        order = sorted(row_of.items(), key=lambda item: (-item[1], item[0]))[:_MOST]
        for rank, (other, score) in enumerate(order):
            if rank < _RANKED or score >= _LIKELY:
                pairs.add((min(index, other), max(index, other)))
    return sorted(pairs)


def _short_lists(prints: list[Array], listed: int) -> list[npt.NDArray[np.intp]]:
    """For each image, those with the most similar invariants, at any scale and of any view."""
    described = [np.stack([invariants(view) for view in views]) for views in prints]
    upright, starts = _upright(described, 0)
    mean = upright.mean(axis=0)
    upright = _unit(upright - mean)
    lists = []
    for views in described:
        queries = _unit(views.reshape(-1, views.shape[-1]) - mean)
        row = np.maximum.reduceat((upright @ queries.T).max(axis=1), starts)
        lists.append(np.sort(np.argsort(-row, kind="stable")[: listed + 1]))
    return lists


def _upright(described: list[Array], scale: int) -> tuple[Array, npt.NDArray[np.intp]]:
    """One scale of all views, one a row, and the row at which each image begins."""
    counts = [len(views) for views in described]
    return np.concatenate([views[:, scale] for views in described]), np.cumsum([0, *counts[:-1]])


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
