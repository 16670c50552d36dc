"""Backends of an exported model: what each one runs, and when it is certified.

To add a backend, add its name to `records.models.exports.choice` and its row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from minivess.foundation.implements import implements
from minivess.records.evaluation.measures import DICE
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.models.exports.certificate import BackendMeasurement, WholeImageParity
from minivess.records.models.exports.choice import FP32, INT8, BackendName

TOLERANCE = 1e-4
"""The greatest difference of probabilities of a backend in single precision."""
DICE_TOLERANCE, FLIPPED_TOLERANCE = 0.005, 1e-3
"""The greatest difference of Dice in a case, and share of voxels that flip, of a backend with 8 bits."""
ROUNDS = 3
"""How often each side is timed, in turns."""


@dataclass(frozen=True)
class Verdict:
    """Whether a backend may run the model.

    Attributes:
        certified: whether it may.
        reason: what was found, in one sentence.
    """

    certified: bool
    reason: str


@dataclass(frozen=True)
class Backend:
    """One way to run the graphs.

    Attributes:
        quantised: whether it runs the graphs with 8 bits.
        judge: whether it is certified, from the differences on whole images and the tolerance of probabilities.
    """

    quantised: bool
    judge: Callable[[WholeImageParity, float], Verdict]


def _by_probabilities(parity: WholeImageParity, tolerance: float) -> Verdict:
    found = parity.max_probability_difference
    met = Bound(at_most=tolerance).judge(found).met
    side = "within" if met else "beyond"
    return Verdict(met, f"probabilities differ by {found:.3g}, {side} the tolerance {tolerance:.3g}")


def _by_masks(parity: WholeImageParity, tolerance: float) -> Verdict:
    dice, share = parity.measures[DICE], parity.flipped_voxels / parity.voxels
    met = Bound(at_most=DICE_TOLERANCE).judge(dice).met and Bound(at_most=FLIPPED_TOLERANCE).judge(share).met
    side = f"{'within' if met else 'beyond'} {DICE_TOLERANCE:g} and {FLIPPED_TOLERANCE:.1%}"
    return Verdict(met, f"Dice differs by {dice:.3g} and {share:.3%} of the voxels flip, {side}")


BACKENDS: Mapping[BackendName, Backend] = {
    FP32: Backend(quantised=False, judge=_by_probabilities),
    INT8: Backend(quantised=True, judge=_by_masks),
}


@implements("REQ-344", "RC-143")
def fastest(rows: Iterable[BackendMeasurement]) -> BackendMeasurement:
    """The certified backend that takes the least time; at least one must be certified."""
    return min((one for one in rows if one.certified), key=lambda one: one.seconds)


@implements("REQ-344")
def measured(sides: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS) -> dict[str, float]:
    """Wall time of each side in seconds: the least of rounds in which they take turns, after one call that is not timed.

    Other programs on the machine slow all sides alike; the least of several rounds is the time without most of them.
    """
    least = dict.fromkeys(sides, np.inf)
    for number in range(rounds + 1):
        for name, side in sides.items():
            begun = time.perf_counter()
            side()
            seconds = time.perf_counter() - begun
            if number:
                least[name] = min(least[name], seconds)
    return {name: float(seconds) for name, seconds in least.items()}
