"""A measure that a test adds to the product as a contributor does: one module and one row."""

from __future__ import annotations

from pathlib import Path

import pytest

from minivess.ml import measures
from minivess.records.evaluation.measures import MEASURES, Measure

NAME = "voxel_recall"
TITLE = "Recall of voxels"
_MODULE = '''
import numpy as np


def compute(pair, conventions):
    """Share of the reference that is in the prediction."""
    return float(np.count_nonzero(pair.prediction & pair.reference) / np.count_nonzero(pair.reference))
'''


def add_measure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add `voxel_recall` until the end of the test; its module is written into `folder`, which is made."""
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(_MODULE, encoding="utf-8")
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(folder)])
    monkeypatch.setitem(MEASURES, NAME, Measure(NAME, TITLE, "Recall"))
