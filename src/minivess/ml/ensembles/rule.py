"""What a rule of an ensemble offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class EnsembleRule(Protocol):
    """Combines the probabilities of the members, once for arrays and once for the exported graph.

    It takes and gives their logarithms: single precision holds those of probabilities near 0 and near 1 alike.
    """

    def combine(self, answers: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Combine log probabilities of at least one member, all of one shape."""

    def combine_tensors(self, answers: Sequence[Any]) -> Any:
        """The same on PyTorch tensors, with operations that the exporter knows."""
