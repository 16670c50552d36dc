"""A measure that a test adds to the product as a contributor does: one module and one row."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.ml import measures
from minivess.records.evaluation.counts import Count, MeasureCounts
from minivess.records.evaluation.measures import MEASURES, Measure

NAME = "voxel_recall"
TITLE = "Recall of voxels"
_MODULE = '''
import numpy as np

from tests.support.builders.new_measure import VoxelRecall


def count(pair, conventions):
    """Voxels of the reference, and those of them that are in the prediction."""
    found = np.count_nonzero(pair.prediction & pair.reference)
    return VoxelRecall(found=int(found), reference=int(np.count_nonzero(pair.reference)))
'''


class VoxelRecall(MeasureCounts):
    """What a contributor's measure counts, with its formula."""

    formula = "found / reference"

    found: Count
    reference: Count

    @property
    def measure(self) -> float:
        """The share of the reference that was found."""
        return self.found / self.reference


def add_measure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add `voxel_recall` until the end of the test; its module is written into `folder`, which is made."""
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(_MODULE, encoding="utf-8")
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(folder)])
    monkeypatch.setitem(MEASURES, NAME, Measure(NAME, TITLE, "Recall", VoxelRecall))
