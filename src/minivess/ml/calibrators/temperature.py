"""Temperature scaling (Guo, Pleiss, Sun & Weinberger 2017, arXiv 1706.04599): one number that divides every logit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minivess.foundation.errors import InputError
from minivess.foundation.implements import implements

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures looked for; an optimum at either end means the logits say nothing about the labels."""


def negative_log_likelihood(
    logits: NDArray[Any], labels: NDArray[Any], temperature: float = 1.0, weights: NDArray[Any] | None = None
) -> float:
    """Mean negative log-likelihood in nats a voxel under logits over a temperature, weighted where there are weights.

    Args:
        logits: of one class, of any shape; or of several outputs, (outputs, *shape).
        labels: 0 or 1, of the same shape; or the index of the output, (*shape).
        temperature: divides the logits.
        weights: of the shape of the labels.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if _several(logits, labels):
        losses = np.logaddexp.reduce(scaled, axis=0) - _of_label(scaled, labels)
    else:
        losses = np.logaddexp(0.0, scaled) - scaled * np.asarray(labels).astype(np.float64)
    losses = losses.ravel()
    return float(np.average(losses, weights=None if weights is None else np.asarray(weights).ravel()))


@implements("REQ-019", "REQ-239", "REQ-240", "RC-09")
def fit_temperature(logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """The temperature with the lowest negative log-likelihood; the problem is convex in its inverse.

    Args:
        logits: uncalibrated logits of one class, of any shape; or of several outputs, (outputs, *shape).
        labels: 0 or 1, of the same shape; or the index of the output, (*shape).
        weights: how many voxels each one represents, of the shape of the labels; 1 each when None.

    Raises:
        InputError: shapes differ, a logit or weight is not finite, a weight is not above 0, a class is missing, or no
            temperature in 0.05..20 is best. The message names the reason.
    """
    _check(logits, labels, weights)
    from scipy.optimize import minimize_scalar  # serving applies temperatures and fits none

    found = minimize_scalar(
        lambda inverse: negative_log_likelihood(logits, labels, 1 / inverse, weights),
        bounds=(1 / HIGHEST, 1 / LOWEST),
        method="bounded",
        options={"xatol": 1e-5},
    )
    temperature = 1 / float(found.x)
    for end, reason in ((LOWEST, _too_small), (HIGHEST, _too_large)):
        if math.isclose(temperature, end, rel_tol=1e-2):
            inside = np.asarray(labels, dtype=np.bool_)
            times = np.ones(inside.shape) if weights is None else np.asarray(weights, dtype=np.float64)
            margins, hits = _margins(logits, labels)
            raise InputError(
                f"no temperature from {LOWEST} to {HIGHEST:g} calibrates these logits: "
                f"{reason(margins, hits, np.broadcast_to(times, margins.shape))} "
                f"(foreground is {times[inside].sum() / times.sum():.2g} of the voxels)",
                hint="check the masks of the calibration cases, and that the members were trained",
            )
    return temperature


def scaled(logits: Any, temperature: float) -> Any:
    """The logits over the temperature."""
    return logits / temperature


def _check(logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None) -> None:
    several = _several(logits, labels)
    shape = logits.shape[1:] if several else logits.shape
    for name, other in (("labels", labels), ("weights", weights)):
        if other is not None and other.shape != shape:
            raise InputError(f"logits of shape {logits.shape} have {name} of shape {other.shape}")
    if not np.isfinite(logits).all():
        raise InputError("the logits hold NaN or infinity")
    if weights is not None and not (np.isfinite(weights) & (weights > 0)).all():
        raise InputError("a weight is not a finite number above 0")
    foreground = int(np.count_nonzero(labels))
    counts: dict[str, int] = {"foreground": foreground, "background": labels.size - foreground}
    if several:
        found = np.bincount(np.asarray(labels, np.intp).ravel(), minlength=logits.shape[0])
        counts |= {f"of class {number}": found[number].item() for number in range(1, logits.shape[0])}
    for name, count in counts.items():
        if count == 0:
            raise InputError(
                f"a temperature needs voxels of {'all' if several else 'both'} classes, and no voxel is {name}",
                hint=f"add calibration cases with {name}",
            )


def _several(logits: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Whether the first axis of the logits is that of several outputs."""
    return np.ndim(logits) == np.ndim(labels) + 1


def _of_label(logits: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """The logit of the output that the label names."""
    picked: NDArray[Any] = np.take_along_axis(logits, np.asarray(labels, np.intp)[np.newaxis], axis=0)[0]
    return picked


def _margins(logits: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """What a temperature acts on: the logits of one class and whether each is foreground; of several, the distance of each
    output to the mean, and whether the label names it."""
    if not _several(logits, labels):
        return logits, np.asarray(labels, dtype=np.bool_)
    outputs = np.arange(logits.shape[0]).reshape(-1, *[1] * np.ndim(labels))
    return logits - logits.mean(axis=0), np.asarray(labels)[np.newaxis] == outputs


def _too_small(logits: NDArray[Any], inside: NDArray[np.bool_], weights: NDArray[np.float64]) -> str:
    """Why the lowest temperature is best."""
    if logits[inside].min() >= 0 >= logits[~inside].max():
        return "they separate the classes perfectly, so that each smaller temperature is better"
    return f"they are more than {1 / LOWEST:g} times too small"


def _too_large(logits: NDArray[Any], inside: NDArray[np.bool_], weights: NDArray[np.float64]) -> str:
    """Why the highest temperature is best: at an infinite one, the likelihood rises or falls with the logits."""
    if float(np.sum(weights * logits * (inside - 0.5))) <= 0:
        return "they are not higher in the foreground than in the background"
    return f"they are more than {HIGHEST:g} times too large, or hardly depend on the labels"


class TemperatureScaling:
    """The calibrator: the fitted parameter is the temperature."""

    affine = True

    def fit(self, logits: NDArray[Any], labels: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
        """See `fit_temperature`."""
        return fit_temperature(logits, labels, weights)

    def apply(self, logits: Any, parameter: float) -> Any:
        """See `scaled`."""
        return scaled(logits, parameter)
