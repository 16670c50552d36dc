"""Gates on figures: of the evaluation, of the exported model, of the log, and of what a tool counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from minivess.compliance.release.gating.bounds import bounded, first_of
from minivess.compliance.release.gating.counted_kinds import COUNTED_KINDS, found_for
from minivess.compliance.release.gating.denominators import DENOMINATORS
from minivess.compliance.release.gating.gate_figures import subgroup_gap
from minivess.foundation.implements import implements
from minivess.records.device.release import GateFacts, GateResult
from minivess.records.device.release_policy import (
    BaselineGate,
    CalibrationGate,
    ConformalGate,
    CountGate,
    LatencyGate,
    MetricGate,
    ParityGate,
    SubgroupGate,
    WitnessGate,
)
from minivess.records.evaluation.acceptance_criteria import statistic_of, worst_class
from minivess.records.evaluation.measures import DICE, OVER_BASELINE, heading_of
from minivess.records.evaluation.statistics.bounds import Bound
from minivess.records.evaluation.statistics.summaries import ClassFigures

_STATISTIC_NAMES = {
    "mean": "mean",
    "lower": "lower end of the interval",
    "upper": "upper end of the interval",
}


def _metric(gate: MetricGate, facts: GateFacts) -> GateResult:
    evaluation = facts.evaluation
    name, value = _worst(
        facts,
        Bound(gate.at_least, gate.at_most),
        lambda figures: None if evaluation is None else statistic_of(evaluation, figures, gate.measure, gate.statistic),
        gate.of_class,
    )
    unit = None if evaluation is None else evaluation.unit
    title = f"{heading_of(gate.measure, unit)}, {_STATISTIC_NAMES[gate.statistic]}"
    title = _titled(title, name) if gate.of_class is None else f"{title}, class {gate.of_class}"
    judged = None if evaluation is None else evaluation.by_class.get(name)
    interval = None if judged is None else judged.aggregates.get(gate.measure)
    why = None
    if evaluation is not None and judged is None:
        why = f"the evaluation has no class {gate.of_class}"
    if evaluation is not None and interval is not None and value is None:
        cases = len(evaluation.tested)
        why = "the cases of one group alone give no interval"
        if interval.n < cases:
            why = f"it is undefined in {cases - interval.n} of {cases} cases"
    mend = "train longer or on more groups, then ask for a new look at the test set; or narrow the intended use"
    made = "" if interval is None else f" ({interval.basis})"
    return bounded(
        gate, facts, title, value, at_least=gate.at_least, at_most=gate.at_most, mend=mend, why=why, made=made
    )


@implements("REQ-551")
def _conformal(gate: ConformalGate, facts: GateFacts) -> GateResult:
    """The recall of the conformal mask, in the class where it is lowest; unknown where a case has none."""
    cases = 0 if facts.evaluation is None else len(facts.evaluation.tested)

    def figure(figures: ClassFigures) -> float | None:
        held = figures.conformal_recall
        return None if held is None or held.n < cases else getattr(held, gate.statistic)

    name, value = _worst(facts, Bound(gate.at_least), figure)
    title = _titled(f"Recall of the conformal mask, {_STATISTIC_NAMES[gate.statistic]}", name)
    why = None if facts.evaluation is None else "a case has no conformal mask, or no voxel of the class"
    mend = "calibrate on more groups, then ask for a new look at the test set"
    return bounded(gate, facts, title, value, at_least=gate.at_least, mend=mend, why=why)


@implements("REQ-551")
def _subgroups(gate: SubgroupGate, facts: GateFacts) -> GateResult:
    record = facts.evaluation
    values = (
        []
        if record is None
        else [
            (name, subgroup_gap(record, name, gate.measure, gate.attribute))
            for name in sorted(record.by_class, key=str)
        ]
    )
    bound = Bound(at_most=gate.at_most)
    name, value = worst_class(values, lambda pair: bound.judge(pair[1])) or (None, None)
    title = _titled(f"Largest gap of {heading_of(gate.measure)} between subgroups by {gate.attribute}", name)
    why = (
        None
        if record is None
        else f"fewer than two subgroups by {gate.attribute}, or the measure is undefined in a case"
    )
    mend = "train on more groups of the weaker subgroup, or narrow the intended use"
    return bounded(gate, facts, title, value, at_most=gate.at_most, mend=mend, why=why)


@implements("REQ-550")
def _counted(gate: CountGate, facts: GateFacts) -> GateResult:
    """A gate of a kind of `COUNTED_KINDS`."""
    words, found = COUNTED_KINDS[gate.kind], found_for(gate, facts)
    title = words.title if gate.standard is None else f"{words.title} of {gate.standard}"
    value = None if found.offenders is None else float(len(found.offenders))
    result = bounded(gate, facts, title, value, at_most=float(gate.at_most), mend=words.mend)
    message = result.message
    if found.offenders == [] and result.passed and found.of is not None:
        every = DENOMINATORS[gate.kind].words(found.of)
        message = f"All {every} {words.nothing}" if found.of else f"No {words.one}: {words.may_be_zero}"
        message += "" if gate.standard is None else f" ({gate.standard})"
    elif found.offenders and result.value is not None:
        message += f": {first_of(found.offenders)}"
    message += "" if found.source is None else f"; looked up in {found.source}"
    return result.model_copy(update={"message": message})


@implements("REQ-319", "REQ-339", "RC-142")
def _worst(
    facts: GateFacts, bound: Bound, figure_of: Callable[[ClassFigures], float | None], of_class: str | None = None
) -> tuple[str | None, float | None]:
    """The class that a gate judges, and its figure: the class that it names, else the one with the smallest margin.

    Without an evaluation, or where it does not have the class, the figure is None.
    """
    if facts.evaluation is None:
        return None, None
    classes = sorted(facts.evaluation.by_class.items(), key=_by_name)
    figures = [(name, figure_of(one)) for name, one in classes if of_class in {None, name}]
    return worst_class(figures, lambda pair: bound.judge(pair[1])) or (of_class, None)


def _by_name(pair: tuple[str | None, object]) -> str:
    return pair[0] or ""


def _titled(title: str, of_class: str | None) -> str:
    return title if of_class is None else f"{title}, worst of all classes: {of_class}"


def _over_baseline(figures: ClassFigures) -> float | None:
    dice = figures.aggregates.get(DICE)
    return None if dice is None or dice.n == 0 else dice.mean - figures.baseline.mean


def _baseline(gate: BaselineGate, facts: GateFacts) -> GateResult:
    name, value = _worst(facts, Bound(gate.at_least), _over_baseline)
    mend = "train longer or on more groups, until the network is better than the intensity threshold"
    title = _titled(heading_of(OVER_BASELINE), name)
    return bounded(gate, facts, title, value, at_least=gate.at_least, mend=mend)


def _calibration(gate: CalibrationGate, facts: GateFacts) -> GateResult:
    name, value = _worst(facts, Bound(at_most=gate.at_most), lambda figures: figures.ece)
    mend = "calibrate on more groups: the probabilities are not well calibrated"
    title = _titled("Expected calibration error", name)
    return bounded(gate, facts, title, value, at_most=gate.at_most, mend=mend)


def _parity(gate: ParityGate, facts: GateFacts) -> GateResult:
    value = None if facts.export is None else facts.export.max_abs_difference
    mend = "export again, if necessary with another opset: the graph differs from the evaluated model"
    return bounded(gate, facts, "Largest difference of ONNX and PyTorch", value, at_most=gate.at_most, mend=mend)


def _latency(gate: LatencyGate, facts: GateFacts) -> GateResult:
    value = None if facts.export is None else facts.export.seconds_onnx
    mend = "export a smaller or faster model, or export it on faster hardware"
    return bounded(gate, facts, "Seconds of a patch through ONNX", value, at_most=gate.at_most, mend=mend)


def _witness(gate: WitnessGate, facts: GateFacts) -> GateResult:
    mend = "`minivess audit witness` or `minivess audit timestamp`, then build the release"
    return bounded(gate, facts, "Hours since a witness saw the log", facts.witnessed, at_most=gate.at_most, mend=mend)


JUDGES: Mapping[str, Callable[[Any, GateFacts], GateResult]] = MappingProxyType(
    {
        "metric": _metric,
        "baseline": _baseline,
        "parity": _parity,
        "calibration": _calibration,
        "conformal": _conformal,
        "subgroups": _subgroups,
        "latency": _latency,
        "witness": _witness,
        **dict.fromkeys(COUNTED_KINDS, _counted),
    }
)
"""By kind of gate: what judges one. The other kinds count what `minivess.compliance.release.gates` lists."""
