"""The losses by name. To add one, add its module and its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from minivess.ml.losses.dice_cross_entropy import dice_and_cross_entropy

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits (n, outputs, *patch) and labels (n, 1, *patch), which are indices of outputs as floating point (0 or 1 for one class),
-> a scalar with a gradient."""

DICE_CROSS_ENTROPY = "dice-cross-entropy"

LOSSES: Mapping[str, Loss] = {DICE_CROSS_ENTROPY: dice_and_cross_entropy}
