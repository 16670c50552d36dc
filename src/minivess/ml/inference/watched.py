"""What the service asks of a predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from minivess.ml.inference.batching import BatchCut
from minivess.ml.inference.watch import Watch
from minivess.ml.preprocessing.preprocessor import Spacing


@dataclass(frozen=True)
class Prediction:
    """What a predictor says of an image, on its grid.

    Attributes:
        probabilities: (outputs, *grid).
        disagreement: standard deviation of the members' probabilities, the largest over the outputs, (*grid); None where it was
            not asked for.
    """

    probabilities: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None = None


class WatchedPredictor(Protocol):
    """A predictor that says how the work goes on."""

    def predict_watched(
        self, image: NDArray[np.generic], spacing: Spacing, watch: Watch, *, disagreement: bool = False
    ) -> Prediction:
        """Probabilities of a raw image of any real type, and the disagreement of the members where it is asked for."""


@runtime_checkable
class JoinsRequests(Protocol):
    """A predictor that can run patches of several requests together."""

    def join_requests(self, cut: Callable[[int, BatchCut], None]) -> None:
        """From now on do so, and notify of each batch: its requests, and why it was run."""
