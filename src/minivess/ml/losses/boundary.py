"""Dice plus boundary loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from minivess.ml.losses.loss import ClassMaps, Weights, axes_of_a_class, class_maps, mean_of_classes
from minivess.ml.losses.overlap import dice_terms


def dice_and_boundary(logits: torch.Tensor, labels: torch.Tensor, weights: Weights = None) -> torch.Tensor:
    """1 - soft Dice over the batch plus the boundary loss (Kervadec et al. 2019, arXiv 1812.07032), from 0 to 2.

    Args:
        logits: (n, outputs, *patch); one output for one class, else the background and one for each class.
        labels: (n, 1, *patch), floating point: 0 or 1, or the index of the output.
        weights: one a class; the background has 1.
    """
    maps = class_maps(logits, labels)
    return mean_of_classes(dice_terms(maps) + boundary_terms(maps), weights)


def boundary_terms(maps: ClassMaps) -> torch.Tensor:
    """How wrong each voxel is times its distance to the boundary, the mean over the batch, from 0 to 1: (classes,).

    The gradient is that of Kervadec's mean of probability times signed distance. The value differs by a constant: it is 0 at
    the truth. Distances are from the middle of a voxel to the face between two voxels, in voxels, as a share of the
    diagonal of the patch. In a patch without the class, or with nothing else, each voxel counts 1. SciPy computes the
    distances on the CPU.
    """
    wrong = (maps.probabilities - maps.truths).abs()
    truths = maps.truths.detach().cpu().numpy().astype(bool)
    shares = np.stack([np.stack([_distances(one) for one in patch]) for patch in truths])
    return (wrong * torch.from_numpy(shares).to(wrong.device)).mean(axes_of_a_class(wrong))


def _distances(truth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each voxel to the boundary, as a share of the diagonal."""
    if truth.all() or not truth.any():
        return np.ones(truth.shape, np.float32)
    away = distance_transform_edt(truth) + distance_transform_edt(~truth) - 0.5
    return np.asarray(away / np.linalg.norm(truth.shape), np.float32)
