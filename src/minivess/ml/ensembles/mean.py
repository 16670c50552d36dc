"""The mean of the members' probabilities (Lakshminarayanan, Pritzel & Blundell 2017, arXiv 1612.01474)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Mean:
    """The mean of probabilities, from logarithms to its logarithm."""

    def combine(self, answers: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The logarithm of the mean; members are asked one after the other."""
        total: NDArray[np.float64] | None = None
        count = 0
        for answer in answers:
            total = answer if total is None else np.logaddexp(total, answer)
            count += 1
        if total is None:
            raise ValueError("a mean needs at least one member")
        return total - math.log(count)

    def combine_tensors(self, answers: Sequence[Any]) -> Any:
        """The logarithm of the mean of tensors."""
        import torch

        return torch.logsumexp(torch.stack(list(answers)), dim=0) - math.log(len(answers))
