"""What the figure of each gate is a part of. A gate over nothing has shown nothing, so it fails.

`DENOMINATORS` is the one table of what each kind of gate counts, and of what may be zero and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from minivess.foundation.implements import implements
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import COUNTS, SOURCE, Gate, MetricGate
from minivess.records.device.source_state import Reason
from minivess.records.evaluation.measures import DICE

COUNTED = ("cases", "groups", "requirements", "risks", "controls", "scenarios")
"""What the gate `counts` looks at, in the order of the signing text."""


@dataclass(frozen=True)
class Denominator:
    """What a figure is a part of."""

    count: Callable[[Gate, GateFacts], int | None]
    """How many there are; None: not known."""
    one: str
    several: str
    before: str = "of"
    """The word between the figure and the number; empty: the figure is this number."""
    may_be_zero: str = ""
    """Why zero is no reason to fail; empty: it is one."""

    def words(self, count: int) -> str:
        """The number with its noun."""
        return f"{count} {self.one if count == 1 else self.several}"

    def phrase(self, figure: str, count: int) -> str:
        """A figure with what it is a part of."""
        return f"{figure} {self.before} {self.words(count)}" if self.before else self.words(count)

    @implements("REQ-269", "RC-123")
    def fault(self, count: int | None) -> str:
        """Why nothing was judged; empty: something was, or zero is allowed."""
        if count is None:
            return f"the number of {self.several} is not known"
        return "" if count or self.may_be_zero else f"there is no {self.one}"


def _values(gate: Gate, facts: GateFacts) -> int | None:
    """The cases in which a measure is defined."""
    name = gate.measure if isinstance(gate, MetricGate) else DICE
    interval = None if facts.evaluation is None else facts.evaluation.aggregates.get(name)
    return None if interval is None else interval.n


_VALUES = Denominator(_values, "case", "cases", "over")
DENOMINATORS: Mapping[str, Denominator] = MappingProxyType(
    {
        "metric": _VALUES,
        "baseline": _VALUES,
        "calibration": Denominator(
            lambda _, facts: None if facts.evaluation is None else len(facts.evaluation.cases), "case", "cases", "over"
        ),
        "parity": Denominator(
            lambda _, facts: None if facts.export is None else facts.export.tested_patches, "patch", "patches", "over"
        ),
        "criteria": Denominator(lambda _, facts: facts.registered, "acceptance criterion", "acceptance criteria"),
        "trace": Denominator(lambda _, facts: facts.requirements, "requirement", "requirements", "in"),
        "risk": Denominator(
            lambda _, facts: None if facts.risks is None else len(facts.risks.risks), "residual risk", "residual risks"
        ),
        "test-set": Denominator(
            lambda _, facts: facts.openings,
            "look",
            "looks",
            before="",
            may_be_zero="the gates of figures fail without a look",
        ),
        "runs": Denominator(lambda _, facts: facts.runs, "training run", "training runs"),
        "scenarios": Denominator(
            lambda _, facts: None if facts.report is None else len(facts.report.results), "result", "results"
        ),
        "lineage": Denominator(
            lambda _, facts: facts.lineage_runs, "entry with a lineage run", "entries with a lineage run"
        ),
        COUNTS: Denominator(lambda *_: len(COUNTED), "count", "counts"),
        SOURCE: Denominator(lambda *_: len(get_args(Reason)), "possible reason", "possible reasons"),
    }
)
