"""Integrated gradients (Sundararajan, Taly & Yan 2017, arXiv 1703.01365), by Captum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from minivess.foundation.implements import implements

STEPS, MOST_STEPS = 32, 256
COMPLETE = 0.05
"""Steps are doubled until no more than this share of the change is missing. Instance normalisation needs more of them, because a
baseline without contrast is far from any image."""
_AT_ONCE = 4
"""Patches of one pass through the network."""


class Integrated(NamedTuple):
    """Attributions that add up to the change of a score."""

    attribution: NDArray[np.float32]
    """(*patch), with a sign: what a voxel adds to the score, over all channels."""
    completeness: float
    """What is missing, over the change of the score."""
    steps: int
    """Points that were taken."""


@implements("REQ-410")
def complete_gradients(score: torch.nn.Module, patch: torch.Tensor) -> Integrated:
    """Attributions with as many steps as they need to add up to the change of the score within 5 %; at most 256.

    Args:
        score: patches (n, channels, *patch) to (n,).
        patch: (1, channels, *patch).
    """
    steps = STEPS
    found = integrated_gradients(score, patch, steps=steps)
    while found.completeness > COMPLETE and steps < MOST_STEPS:
        steps *= 2
        found = integrated_gradients(score, patch, steps=steps)
    return found


def integrated_gradients(score: torch.nn.Module, patch: torch.Tensor, *, steps: int) -> Integrated:
    """Attributions of a patch against its darkest value in each channel.

    Args:
        score: patches (n, channels, *patch) to (n,).
        patch: (1, channels, *patch).
        steps: points on the line from the baseline to the patch (Gauss-Legendre).
    """
    from captum.attr import IntegratedGradients

    baseline = torch.amin(patch, dim=tuple(range(2, patch.ndim)), keepdim=True).expand_as(patch)
    found = IntegratedGradients(score).attribute(patch, baselines=baseline, n_steps=steps, internal_batch_size=_AT_ONCE)
    with torch.no_grad():
        change = float(score(patch) - score(baseline))
    missing = abs(float(found.sum(dtype=torch.float64)) - change) / max(abs(change), 1e-6)
    summed: NDArray[np.float32] = found.detach().sum(dim=1)[0].cpu().numpy()
    return Integrated(summed, missing, steps)
