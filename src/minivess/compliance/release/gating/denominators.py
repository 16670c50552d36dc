"""What each kind of gate counts, and what may be zero and why: a gate over nothing has shown nothing, so it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from minivess.compliance.release.gating.counted_kinds import COUNTED_KINDS, found_for
from minivess.foundation.implements import implements
from minivess.records.device.release import GateFacts
from minivess.records.device.release_policy import (
    COUNTS,
    DOCUMENTS,
    PRETRAINING,
    SOURCE,
    CountGate,
    Gate,
    MetricGate,
    SubgroupGate,
)
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
    """The cases in which a measure is defined; of several classes, those in the class that has fewest of them.

    A gate that names a class judges the cases of that class alone.
    """
    name, of_class = (gate.measure, gate.of_class) if isinstance(gate, MetricGate) else (DICE, None)
    name = gate.measure if isinstance(gate, SubgroupGate) else name
    if facts.evaluation is None:
        return None
    classes = facts.evaluation.by_class.items()
    held = [figures.aggregates.get(name) for key, figures in classes if of_class in {None, key}]
    return min((interval.n for interval in held if interval is not None), default=None) if all(held) else None


def _recalls(_: Gate, facts: GateFacts) -> int | None:
    """The cases that have a conformal mask, in the class that has fewest of them."""
    if facts.evaluation is None:
        return None
    held = [figures.conformal_recall for figures in facts.evaluation.by_class.values()]
    return min((0 if one is None else one.n for one in held), default=None)


def _counted(kind: str) -> Denominator:
    """The denominator of a kind of `COUNTED_KINDS`."""
    words = COUNTED_KINDS[kind]
    return Denominator(
        lambda gate, facts: found_for(gate, facts).of if isinstance(gate, CountGate) else None,
        words.one,
        words.several,
        words.before,
        words.may_be_zero,
    )


_VALUES = Denominator(_values, "case", "cases", "over")
_PATCHES = Denominator(
    lambda _, facts: None if facts.export is None else facts.export.tested_patches, "patch", "patches", "over"
)
DENOMINATORS: Mapping[str, Denominator] = MappingProxyType(
    {
        "metric": _VALUES,
        "baseline": _VALUES,
        "subgroups": _VALUES,
        "conformal": Denominator(_recalls, "case", "cases", "over"),
        **{kind: _counted(kind) for kind in COUNTED_KINDS},
        "calibration": Denominator(
            lambda _, facts: None if facts.evaluation is None else len(facts.evaluation.tested), "case", "cases", "over"
        ),
        "parity": _PATCHES,
        "latency": _PATCHES,
        "witness": Denominator(
            lambda _, facts: None if facts.witnessed is None else 1, "newest attestation", "attestations", "since"
        ),
        PRETRAINING: Denominator(lambda _, facts: facts.members, "member", "members"),
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
        DOCUMENTS: Denominator(
            lambda _, facts: None if facts.chapters is None else len(facts.chapters),
            "missing chapter",
            "missing chapters",
            before="",
            may_be_zero="every chapter that is owed is written",
        ),
        "lineage": Denominator(
            lambda _, facts: facts.lineage_runs, "entry with a lineage run", "entries with a lineage run"
        ),
        COUNTS: Denominator(lambda *_: len(COUNTED), "count", "counts"),
        SOURCE: Denominator(lambda *_: len(get_args(Reason)), "possible reason", "possible reasons"),
    }
)
