"""Parameter randomisation: whether an attribution depends on what the network learned (Adebayo et al. 2018, arXiv 1810.03292)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.records.evaluation.explanations import SanityCheck

Attribute = Callable[[torch.nn.Module], NDArray[np.float32]]
"""The attribution of a network to the patch that is explained."""


@implements("REQ-411")
def randomisation_check(
    found: NDArray[np.float32], attribute: Attribute, randomised: Mapping[int, torch.nn.Module], *, signed: bool
) -> SanityCheck:
    """Compare an attribution with those of networks whose weights are drawn anew, for the same mask and patch.

    Args:
        found: of the trained network.
        attribute: the same method.
        randomised: networks of the same build by the seed of their weights.
        signed: whether the attribution has a sign; then the correlations of absolute values are stated beside.

    Raises:
        UsageError: there is no randomised network, or the attribution is the same in all voxels.
    """
    if not randomised:
        raise UsageError("the sanity check needs a randomised network")
    if np.ptp(found) <= 0:
        raise UsageError("the attribution is the same in all voxels", hint="choose another layer or method")
    others = [attribute(network) for network in randomised.values()]
    return SanityCheck(
        seeds=tuple(randomised),
        correlations=tuple(rank_correlation(found, one) for one in others),
        absolute=tuple(rank_correlation(np.abs(found), np.abs(one)) for one in others) if signed else (),
    )


def rank_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Spearman's correlation of two maps, voxel by voxel; 0 where a map is the same in all voxels."""
    from scipy.stats import rankdata

    first, second = (rankdata(values.ravel()) for values in (one, other))
    first -= first.mean()
    second -= second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return min(max(float((first * second).sum()) / scale, -1.0), 1.0) if scale > 0 else 0.0
