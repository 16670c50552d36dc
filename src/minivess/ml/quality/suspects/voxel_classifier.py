"""A simple classifier of voxels: multinomial logistic regression on features and their products.

It is a stand-in for a network where none was trained yet: it takes seconds, and errors of labels that are rare hardly change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.ml.quality.suspects.voxel_features import Features

PER_CLASS = 300
"""Voxels that are drawn of each class in each case."""
PENALTY = 1e-4
"""Of the squared weights."""
_STEPS = 60
_CHUNK = 1 << 14


@dataclass(frozen=True)
class VoxelSample:
    """Voxels of one case.

    Attributes:
        case: its name.
        features: (features, voxels).
        classes: the class of each, 0 for background.
        weights: how many voxels of the case each stands for, over the voxels of the case.
    """

    case: str
    features: Features
    classes: NDArray[np.uint8]
    weights: NDArray[np.float64]


def draw(
    rng: np.random.Generator, case: str, features: Features, label: NDArray[np.uint8], classes: int
) -> VoxelSample:
    """A sample of at most `PER_CLASS` voxels of each class of a case.

    Args:
        rng: draws the voxels.
        case: its name.
        features: (features, *grid).
        label: (*grid), 0 for background, else the number of the class.
        classes: the number of classes beside the background.
    """
    flat, wide = label.ravel(), features.reshape(len(features), -1)
    chosen, weights = [], []
    for number in range(classes + 1):
        places = np.flatnonzero(flat == number)
        if not places.size:
            continue
        taken = places if places.size <= PER_CLASS else rng.choice(places, PER_CLASS, replace=False)
        chosen.append(taken)
        weights.append(np.full(taken.size, places.size / taken.size / flat.size))
    picks = np.concatenate(chosen)
    return VoxelSample(case, wide[:, picks], flat[picks], np.concatenate(weights))


@dataclass(frozen=True)
class VoxelClassifier:
    """Fitted weights. Make it with `fit`."""

    means: NDArray[np.float64]
    scales: NDArray[np.float64]
    weights: NDArray[np.float64]
    """(products, classes with background)."""

    @classmethod
    def fit(cls, samples: Iterable[VoxelSample], classes: int) -> Self:
        """Fit to samples; each case weighs the same.

        Raises:
            UsageError: there is no sample.
        """
        from scipy.optimize import minimize

        held = list(samples)
        if not held:
            raise UsageError("a classifier of voxels needs cases to learn from")
        features = np.concatenate([one.features for one in held], axis=1).astype(np.float64)
        truth = np.concatenate([one.classes for one in held]).astype(np.intp)
        weight = np.concatenate([one.weights for one in held]) / len(held)
        means, scales = features.mean(axis=1), np.maximum(features.std(axis=1), 1e-6)
        products = _products((features - means[:, np.newaxis]) / scales[:, np.newaxis])
        balanced = np.sqrt(weight)  # between the share of a class and classes of one size: rare ones are learned too
        balanced /= balanced.sum()
        shape = (products.shape[1], classes + 1)

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = flat.reshape(shape)
            probabilities = _softmax(products @ weights)
            picked = probabilities[np.arange(truth.size), truth]
            value = -float(balanced @ np.log(np.maximum(picked, 1e-12))) + PENALTY * float((weights**2).sum())
            probabilities[np.arange(truth.size), truth] -= 1
            slope = products.T @ (probabilities * balanced[:, np.newaxis]) + 2 * PENALTY * weights
            return value, slope.ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
        return cls(means, scales, found.x.reshape(shape))

    def predict(self, features: Features) -> NDArray[np.float32]:
        """The probability of each class, (classes with background, *grid), of features (features, *grid)."""
        wide = features.reshape(len(features), -1)
        means, scales = (one[:, np.newaxis].astype(np.float32) for one in (self.means, self.scales))
        made = np.empty((self.weights.shape[1], wide.shape[1]), np.float32)
        for start in range(0, wide.shape[1], _CHUNK):
            part = wide[:, start : start + _CHUNK]
            scaled: NDArray[np.float32] = (part - means) / scales
            made[:, start : start + _CHUNK] = _softmax(_products(scaled) @ self.weights.astype(np.float32)).T
        return made.reshape(-1, *features.shape[1:])


def _products(scaled: NDArray[np.floating]) -> NDArray[np.floating]:
    """(voxels, 1 + features + products of two features) of (features, voxels); outliers are cut."""
    cut = np.clip(scaled, -5, 5)
    first, second = np.triu_indices(len(cut))
    return np.concatenate([np.ones((1, cut.shape[1]), cut.dtype), cut, cut[first] * cut[second]]).T


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    softmax: NDArray[np.floating] = raised / raised.sum(axis=1, keepdims=True)
    return softmax
