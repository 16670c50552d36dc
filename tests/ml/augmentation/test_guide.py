"""The table of the guide has the probabilities and ranges that training uses."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from minivess.ml.augmentation.strengths import STRENGTHS
from minivess.records.models.training import ChangeName, Strength

pytestmark = pytest.mark.verifies("SU-31", "REQ-354")

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "training.md"
LEVELS: tuple[Strength, ...] = ("light", "medium", "strong")


def test_the_guide_has_every_change_in_its_order_with_its_ranges() -> None:
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    begin = lines.index("| change | light | medium | strong | unit of the range |") + 2
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines[begin : begin + 13]]
    assert [row[0] for row in rows] == list(get_args(ChangeName))
    for name, *cells, _ in rows:
        for level, cell in zip(LEVELS, cells, strict=True):
            draw = STRENGTHS[level].get(name)
            expected = "no" if draw is None else f"{draw.probability:g}: {draw.low:g} to {draw.high:g}"
            assert cell == ("always" if name in ("flips", "quarter-turns") else expected), (name, level)
