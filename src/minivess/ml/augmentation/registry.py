"""The augmentations by name. To add one, add its module and its row."""

from __future__ import annotations

from collections.abc import Mapping

from minivess.ml.augmentation.flips import flip
from minivess.ml.augmentation.patches import Augmentation
from minivess.ml.augmentation.quarter_turns import quarter_turns

AUGMENTATIONS: Mapping[str, Augmentation] = {"flips": flip, "quarter-turns": quarter_turns}

FLIPS_AND_TURNS = ("flips", "quarter-turns")
"""What training applies, in this order. The order is part of what a seed draws."""
