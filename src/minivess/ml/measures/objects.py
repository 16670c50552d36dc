"""Objects of two masks that match one another, for classes whose objects are counted (lesions, cells)."""

from __future__ import annotations

import numpy as np

from minivess.foundation.implements import implements
from minivess.ml.measures.case_pairs import CasePair
from minivess.records.evaluation.counted.counts import ObjectCounts
from minivess.records.evaluation.evaluation import Conventions


@implements("REQ-378")
def count(pair: CasePair, conventions: Conventions) -> ObjectCounts:
    """The objects of a case that match, and those of the prediction or the reference alone.

    An object is a component (26-connected, in a plane 8-connected). Two objects match when their intersection is more than
    half of their union. So an object matches at most one other (Kirillov et al., Panoptic segmentation, CVPR 2019, section 4).
    """
    (predicted, found), (true, there) = pair.components
    both = (predicted > 0) & (true > 0)
    pairs, common = np.unique(predicted[both].astype(np.int64) * (there + 1) + true[both], return_counts=True)
    sizes = np.bincount(predicted.ravel(), minlength=found + 1), np.bincount(true.ravel(), minlength=there + 1)
    union = sizes[0][pairs // (there + 1)] + sizes[1][pairs % (there + 1)] - common
    matched = int(np.count_nonzero(2 * common > union))
    return ObjectCounts(tp=matched, fp=found - matched, fn=there - matched)
