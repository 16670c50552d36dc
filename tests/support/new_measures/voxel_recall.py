"""The module of a measure as a contributor adds it: the recall of voxels."""

from __future__ import annotations

import numpy as np

from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.evaluation import Conventions
from tests.support.builders.new_measure import VoxelRecall


def count(pair: CasePair, conventions: Conventions) -> VoxelRecall:
    """Voxels of the reference, and those of them that are in the prediction."""
    found = np.count_nonzero(pair.prediction & pair.reference)
    return VoxelRecall(found=int(found), reference=int(np.count_nonzero(pair.reference)))
