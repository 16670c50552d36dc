"""Cross-entropy and focal loss."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from minivess.ml.losses.class_weights import checked
from minivess.ml.losses.loss import Weights, class_truths


def cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None, *, focus: float = 0.0
) -> torch.Tensor:
    """Mean cross-entropy over the voxels, by the weights of their true classes.

    Args:
        logits: (n, outputs, *patch).
        labels: (n, 1, *patch) of indices.
        weights: one a class; the background has 1.
        focus: gamma of the focal loss (Lin et al. 2017, arXiv 1708.02002): a voxel whose class has the probability p counts
            (1 - p)^gamma.

    Raises:
        UsageError: there is not one weight a class.
    """
    single, outputs = logits.float(), logits.shape[1]
    truths = class_truths(labels, outputs)
    if outputs == 1 and weights is None and not focus:
        return binary_cross_entropy_with_logits(single, truths)
    if outputs == 1:
        entropy = binary_cross_entropy_with_logits(single, truths, reduction="none")[:, 0]
    else:
        logs, elsewhere = single.log_softmax(dim=1), 1 - truths.sum(dim=1)
        entropy = -(logs[:, 1:] * truths).sum(dim=1) - logs[:, 0] * elsewhere
    if focus:
        entropy = (-torch.expm1(-entropy)) ** focus * entropy
    if weights is None:
        return entropy.mean()
    extra = truths.new_tensor(checked(weights, truths.shape[1])) - 1
    shares = 1 + (truths * extra.reshape(-1, *(1 for _ in range(truths.ndim - 2)))).sum(dim=1)
    return (shares * entropy).sum() / shares.sum()
