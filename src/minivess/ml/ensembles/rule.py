"""What a rule of an ensemble offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class EnsembleRule(Protocol):
    """Combines the probabilities of the members, once for arrays and once for the exported graph."""

    def combine(self, answers: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Combine the probabilities of at least one member, all of one shape."""

    def combine_tensors(self, answers: Sequence[Any]) -> Any:
        """The same on PyTorch tensors, with operations that the exporter knows."""
