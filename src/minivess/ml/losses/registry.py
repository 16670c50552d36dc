"""The losses by name. To add one, add its module and its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from minivess.ml.losses.dice_cross_entropy import dice_and_cross_entropy

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits and labels (0 or 1, floating point), both (n, 1, z, y, x), -> a scalar with a gradient."""

DICE_CROSS_ENTROPY = "dice-cross-entropy"

LOSSES: Mapping[str, Loss] = {DICE_CROSS_ENTROPY: dice_and_cross_entropy}
