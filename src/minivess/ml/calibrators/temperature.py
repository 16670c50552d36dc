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


def negative_log_likelihood(logits: NDArray[Any], labels: NDArray[Any], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood in nats a voxel of binary labels under `sigmoid(logits / temperature)`."""
    scaled = np.asarray(logits, dtype=np.float64).ravel() / temperature
    return float(np.mean(np.logaddexp(0.0, scaled) - scaled * np.asarray(labels).ravel().astype(np.float64)))


@implements("REQ-019", "RC-09")
def fit_temperature(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """The temperature with the lowest negative log-likelihood; the problem is convex in its inverse.

    Args:
        logits: uncalibrated logits of any shape.
        labels: 0 or 1, same shape.

    Raises:
        InputError: shapes differ, logits are not finite, a class is missing, or no temperature in 0.05..20 is best.
    """
    if logits.shape != labels.shape:
        raise InputError(f"logits of shape {logits.shape} have labels of shape {labels.shape}")
    if not np.isfinite(logits).all():
        raise InputError("the logits hold NaN or infinity")
    if not 0 < np.count_nonzero(labels) < labels.size:
        raise InputError("a temperature needs voxels of both classes", hint="add calibration cases with vessels")
    from scipy.optimize import minimize_scalar  # serving applies temperatures and fits none

    found = minimize_scalar(
        lambda inverse: negative_log_likelihood(logits, labels, 1 / inverse),
        bounds=(1 / HIGHEST, 1 / LOWEST),
        method="bounded",
        options={"xatol": 1e-5},
    )
    temperature = 1 / float(found.x)
    if math.isclose(temperature, LOWEST, rel_tol=1e-2) or math.isclose(temperature, HIGHEST, rel_tol=1e-2):
        raise InputError(
            "no temperature calibrates these logits: they hardly depend on the labels, or separate them perfectly",
            hint="check the masks of the calibration cases, and that the members were trained",
        )
    return temperature


class TemperatureScaling:
    """The calibrator: the fitted parameter is the temperature."""

    def fit(self, logits: NDArray[Any], labels: NDArray[Any]) -> float:
        """See `fit_temperature`."""
        return fit_temperature(logits, labels)

    def apply(self, logits: Any, parameter: float) -> Any:
        """The logits over the temperature."""
        return logits / parameter
