"""Base scores of CVSS version 3 (FIRST, Common Vulnerability Scoring System v3.1: Specification, 7.1, 7.4 and appendix A).

Versions 3.0 and 3.1 have the same metrics; both are scored as 3.1. Vectors of versions 2 and 4 are not scored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from minivess.foundation.implements import implements
from minivess.records.components.scan import Severity

_VECTOR = re.compile(
    r"CVSS:3\.[01]/AV:(?P<AV>[NALP])/AC:(?P<AC>[LH])/PR:(?P<PR>[NLH])/UI:(?P<UI>[NR])/S:(?P<S>[UC])"
    r"/C:(?P<C>[NLH])/I:(?P<I>[NLH])/A:(?P<A>[NLH])(?:/.*)?"
)
"""Base metrics in the order of the specification; temporal and environmental ones after them do not count."""
_WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
        "AC": {"L": 0.77, "H": 0.44},
        "UI": {"N": 0.85, "R": 0.62},
        "PRU": {"N": 0.85, "L": 0.62, "H": 0.27},
        "PRC": {"N": 0.85, "L": 0.68, "H": 0.5},
        "CIA": {"N": 0.0, "L": 0.22, "H": 0.56},
    }
)
_RATINGS: tuple[tuple[float, Severity], ...] = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
"""The lowest score of each rating (section 5)."""


@implements("REQ-533")
def base_score(vector: str) -> float | None:
    """The base score of a vector of version 3, from 0 to 10; None for another vector."""
    match = _VECTOR.fullmatch(vector)
    if match is None:
        return None
    changed = match["S"] == "C"
    free = 1.0
    for name in ("C", "I", "A"):
        free *= 1 - _WEIGHTS["CIA"][match[name]]
    share = 1 - free
    impact = 7.52 * (share - 0.029) - 3.25 * (share - 0.02) ** 15 if changed else 6.42 * share
    if impact <= 0:
        return 0.0
    privileges = _WEIGHTS["PRC" if changed else "PRU"][match["PR"]]
    ease = 8.22 * _WEIGHTS["AV"][match["AV"]] * _WEIGHTS["AC"][match["AC"]] * privileges * _WEIGHTS["UI"][match["UI"]]
    return _rounded_up(min((1.08 if changed else 1.0) * (impact + ease), 10))


def rating(score: float) -> Severity:
    """The qualitative severity of a score."""
    return next((name for least, name in _RATINGS if score >= least), "none")


def _rounded_up(value: float) -> float:
    """The smallest number of one decimal that is not below a value (appendix A, so that each machine gives the same)."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10
