"""How often and how much each change is made, by strength.

Ranges of `strong` are those of nnU-Net 2 (Isensee et al. 2021, Nature Methods 18:203; DefaultTrainer of 3D) where it has the
change. Elastic change, bias field and histogram shift are after MONAI's transforms. Flips and quarter turns have no row: they
are made at every strength but `none`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # worker processes import this module
    from minivess.records.models.training import ChangeName, Strength


class Draw(NamedTuple):
    """How a change is drawn."""

    probability: float
    low: float
    """Least amount, in the unit of the change."""
    high: float
    """Largest amount."""

    def happens(self, rng: np.random.Generator) -> bool:
        """Whether the change is made this time."""
        return self.probability > 0 and bool(rng.random() < self.probability)

    def within(self, rng: np.random.Generator) -> float:
        """An amount of the range."""
        return float(rng.uniform(self.low, self.high))


NEVER = Draw(0.0, 0.0, 0.0)

STRENGTHS: Mapping[Strength, Mapping[ChangeName, Draw]] = {
    "none": {},
    "flips": {},
    "light": {
        "rotation": Draw(0.1, -10, 10),
        "scale": Draw(0.1, 0.9, 1.1),
        "noise": Draw(0.1, 0, 0.1),
        "brightness": Draw(0.15, -0.1, 0.1),
        "contrast": Draw(0.15, 0.9, 1.1),
        "gamma": Draw(0.1, 0.9, 1.1),
    },
    "medium": {
        "rotation": Draw(0.15, -20, 20),
        "scale": Draw(0.15, 0.8, 1.25),
        "elastic": Draw(0.1, 0.1, 0.25),
        "blur": Draw(0.1, 0.4, 0.8),
        "bias-field": Draw(0.1, 0, 0.2),
        "noise": Draw(0.1, 0, 0.2),
        "low-resolution": Draw(0.1, 0.6, 1),
        "brightness": Draw(0.15, -0.2, 0.2),
        "contrast": Draw(0.15, 0.8, 1.2),
        "gamma": Draw(0.2, 0.8, 1.25),
        "histogram-shift": Draw(0.05, 0.1, 0.3),
    },
    "strong": {
        "rotation": Draw(0.2, -30, 30),
        "scale": Draw(0.2, 0.7, 1.4),
        "elastic": Draw(0.2, 0.1, 0.35),
        "blur": Draw(0.2, 0.5, 1),
        "bias-field": Draw(0.15, 0, 0.4),
        "noise": Draw(0.1, 0, 0.3),
        "low-resolution": Draw(0.25, 0.5, 1),
        "brightness": Draw(0.15, -0.3, 0.3),
        "contrast": Draw(0.15, 0.75, 1.25),
        "gamma": Draw(0.3, 0.7, 1.5),
        "histogram-shift": Draw(0.1, 0.1, 0.45),
    },
}
"""Units: degrees; times larger; cells of control points; voxels; logarithm of the factor; standard deviations; share of
voxels left along an axis; standard deviations; times; exponent; share of the distance between points."""
