"""The losses by name. To add one, add its module, its row, and its name to `records/models/training.py`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from minivess.foundation.choices import choose
from minivess.foundation.implements import implements
from minivess.ml.losses.boundary import dice_and_boundary
from minivess.ml.losses.cldice import cldice
from minivess.ml.losses.dice_cross_entropy import dice_and_cross_entropy
from minivess.ml.losses.dice_cross_entropy_cldice import dice_cross_entropy_and_cldice
from minivess.ml.losses.dice_focal import dice_and_focal
from minivess.ml.losses.loss import Loss, WeightedLoss, Weights
from minivess.ml.losses.tversky import tversky

LOSSES: Mapping[str, WeightedLoss] = {
    "dice-cross-entropy": dice_and_cross_entropy,
    "dice-focal": dice_and_focal,
    "tversky": tversky,
    "cldice": cldice,
    "dice-cross-entropy-cldice": dice_cross_entropy_and_cldice,
    "boundary": dice_and_boundary,
}


@implements("REQ-350")
def loss_of(name: str, *, weights: Weights = None) -> Loss:
    """The loss of that name with the weights of the classes.

    The loss raises UsageError when it is called with logits of another number of classes than there are weights.

    Raises:
        UsageError: there is no such loss.
    """
    return partial(choose(LOSSES, name, what="loss"), weights=weights)
