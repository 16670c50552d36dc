"""The mean of the members' probabilities (Lakshminarayanan, Pritzel & Blundell 2017, arXiv 1612.01474)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Mean:
    """The mean, added up in double precision."""

    def combine(self, answers: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The mean of probabilities; members are asked one after the other."""
        total: NDArray[np.float64] | None = None
        count = 0
        for answer in answers:
            total = answer.astype(np.float64) if total is None else total + answer
            count += 1
        if total is None:
            raise ValueError("a mean needs at least one member")
        return (total / count).astype(np.float32)

    def combine_tensors(self, answers: Sequence[Any]) -> Any:
        """The mean of tensors."""
        import torch

        return torch.stack(list(answers)).mean(dim=0)
