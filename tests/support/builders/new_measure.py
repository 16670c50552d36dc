"""A measure that a test adds to the product as a contributor does: one module and one row."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.ml import measures
from minivess.records.evaluation.counted.counts import Count, MeasureCounts
from minivess.records.evaluation.measures import MEASURES, Measure

NAME = "voxel_recall"
TITLE = "Recall of voxels"
_MODULES = Path(__file__).parents[1] / "new_measures"
"""The folder with the module, which is part of the source tree as each file that tests load."""


class VoxelRecall(MeasureCounts):
    """What a contributor's measure counts, with its formula."""

    formula = "found / reference"

    found: Count
    reference: Count

    @property
    def measure(self) -> float:
        """The share of the reference that was found."""
        return self.found / self.reference


def add_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add `voxel_recall` until the end of the test."""
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(_MODULES)])
    monkeypatch.setitem(MEASURES, NAME, Measure(NAME, TITLE, "Recall", VoxelRecall))
