"""Risk plans of any scale and convention, whole or with one fault."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.support.properties import strategies as st

LIMITS = ("0.0000001", "0.00001", "0.0001", "0.001", "0.0025", "0.01", "0.05", "0.1", "0.25", "0.5", "0.99")
"""Upper limits whose products are often upper limits again: 0.1 times 0.1, 0.05 times 0.05, 0.5 times 0.5."""
LONG = st.integers(1, 10**22 - 1).map(lambda digits: f"0.{digits:022}")
"""Limits with more digits than a product has in the usual decimal context."""
limits = st.lists(st.sampled_from(LIMITS) | LONG, min_size=1, max_size=5, unique_by=Decimal).map(
    lambda found: [*sorted(found, key=Decimal), "1"]
)


def scale(inclusive: str, uppers: list[str]) -> dict[str, Any]:
    """A scale of probability as a plan states it."""
    steps = [{"word": f"step {upper}", "upper": upper, "meaning": "m"} for upper in uppers]
    return {"inclusive": inclusive, "combine": "product-of-upper-limits", "steps": steps}


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A plan as JSON data; in one of three a value is at fault."""
    severities, uppers = draw(st.integers(2, 4)), draw(limits)
    names = ["low", "medium", "high"]
    ranks = [[draw(st.integers(0, 2)) for _ in uppers] for _ in range(severities)]
    for row in range(severities):
        for column in range(len(uppers)):
            above = ranks[row - 1][column] if row else 0
            left = ranks[row][column - 1] if column else 0
            ranks[row][column] = max(ranks[row][column], above, left)
    plan: dict[str, Any] = {
        "scope": "s",
        "severity": [{"word": f"severity {number}", "meaning": "m"} for number in range(severities)],
        "probability": scale(draw(st.sampled_from(("upper", "lower"))), uppers),
        "software_p1": "s",
        "levels": [{"name": name, "acceptable": name != "high", "meaning": "m"} for name in names],
        "matrix": [[names[rank] for rank in row] for row in ranks],
        "overall": "o",
        "disclosure": None,
        "benefit_approvers": [],
        "serious_from": None,
        "review": "r",
    }
    if draw(st.integers(0, 2)) == 0:
        _spoil(draw, plan)
    return plan


def _spoil(draw: st.DrawFn, plan: dict[str, Any]) -> None:
    steps, matrix, levels = plan["probability"]["steps"], plan["matrix"], plan["levels"]
    fault = draw(st.integers(0, 7))
    if fault < 2:
        draw(st.sampled_from(steps))["upper"] = draw(st.sampled_from(("0", "1", "0.01", "2", "-0.1", "much", "NaN")))
    elif fault == 2:
        draw(st.sampled_from(matrix))[0] = draw(st.sampled_from(("high", "huge")))
    elif fault == 3:
        draw(st.sampled_from(matrix)).pop()
    elif fault == 4:
        matrix.pop()
    elif fault == 5:
        levels.reverse()
    elif fault == 6:
        levels[1]["name"] = "low"
    else:
        steps.reverse()
