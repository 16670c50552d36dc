"""Measure how robust the exported model is, on cases that are not sealed. Nothing is recorded in the log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minivess.foundation.errors import UsageError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text
from minivess.ml.inference.intended_use import outside_reasons
from minivess.ml.robustness.measuring import RobustnessCase, RobustnessPlan, robustness
from minivess.ml.robustness.page import breakpoint_words, criterion_words, robustness_page
from minivess.ml.robustness.registry import perturbations_of
from minivess.records.data.groups import groups_of
from minivess.records.device.release_policy import MetricGate
from minivess.records.evaluation.evaluation import AnalysisPlan, Criterion
from minivess.records.evaluation.measures import DICE, measure_of
from minivess.records.evaluation.robustness import RobustnessFacts, RobustnessRecord
from minivess.workflows.analysis.open_cases import exported_model, open_cases, open_names
from minivess.workflows.sealed.analysis_plan import plan_of
from minivess.workflows.sealed.registration import policy_of
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

FOLDER, RECORD, PAGE = "robustness", "robustness.json", "robustness.html"
"""Below `evidence/evaluation`, in a folder of the part."""
USUAL = ("dice", "cldice", "nsd")
"""Measures that are counted where the project measures them. Those of criteria and gates are counted too."""


class Measured(NamedTuple):
    """A record of robustness, and where it is."""

    record: RobustnessRecord
    page: str
    """Relative to the project."""


@implements("REQ-405", "REQ-407", "RC-162")
def measure(
    reader: WorkspaceReader, *, part: str = "calibration", perturbations: Sequence[str] = (), most: int | None = None
) -> Measured:
    """Segment the cases of a part unchanged and changed, and write record and page below `evidence/evaluation/robustness`.

    Args:
        reader: the workspace.
        part: `calibration` or `validation`.
        perturbations: names; empty: all.
        most: cases that are used at most, the first by name; None: all.

    Raises:
        UsageError: no model was exported, there is no such part or perturbation, or the part has no cases.
        VerificationError: a file is not the one that the log names.
    """
    workspace, inputs, project = Workspace(reader.workspace), BoundInputs.of(reader), reader.project
    chosen = perturbations_of(perturbations)
    model = exported_model(inputs)
    names = open_names(reader, inputs, part)[:most]
    fixed = inputs.sealing is None or inputs.terms is not None
    plan = plan_of(project, inputs.manifest.cases, terms=inputs.terms, fixed=fixed)
    criteria = _criteria(reader, plan)
    use, unit = inputs.intended_use, inputs.manifest.cases[0].unit
    facts = RobustnessFacts(
        model=model.digest,
        data=inputs.split.root,
        part=part,
        threshold=plan.mask_threshold,
        conventions=plan.conventions,
        measures=_measures(plan, criteria),
        classes=tuple(one.name for one in model.task.classes),
        criteria=criteria,
        seed=plan.seed,
    )
    made = robustness(
        (RobustnessCase(case.record, case.image, case.label) for case in open_cases(reader, inputs, names)),
        model.predict,
        RobustnessPlan(
            facts=facts,
            task=model.task,
            groups=groups_of(inputs.manifest, inputs.split),
            perturbations=chosen,
            outside=lambda image, spacing: bool(outside_reasons(use, image, spacing, unit)),
        ),
        progress=reader.progress,
    )
    folder = workspace.evaluation / FOLDER / part
    write_text_atomic(folder / RECORD, json_text(made))
    device = f"{project.device.name} {project.device.version}"
    write_text_atomic(folder / PAGE, robustness_page(made, device=device))
    return Measured(made, workspace.name(folder / PAGE))


def _criteria(reader: WorkspaceReader, plan: AnalysisPlan) -> tuple[Criterion, ...]:
    """The acceptance criteria of the project, and the gates of its release policy on a measure."""
    try:
        gates = policy_of(reader).gates
    except UsageError:  # there is no policy yet
        gates = ()
    held = [
        Criterion(
            measure=gate.measure,
            **({} if gate.of_class is None else {"of_class": gate.of_class}),
            statistic=gate.statistic,
            at_least=gate.at_least,
            at_most=gate.at_most,
        )
        for gate in gates
        if isinstance(gate, MetricGate)
    ]
    return tuple(dict.fromkeys([*plan.criteria, *held]))


def _measures(plan: AnalysisPlan, criteria: Sequence[Criterion]) -> tuple[str, ...]:
    wanted = {DICE, *(name for name in USUAL if name in plan.measures)}
    wanted |= {one.measure for one in criteria if measure_of(one.measure) is not None}
    return tuple(sorted(wanted, key=[*USUAL, *wanted].index))


def rows_of(record: RobustnessRecord) -> list[tuple[str, ...]]:
    """A row for each criterion and perturbation: perturbation, criterion, whether it holds, and where it fails."""
    units = {curve.perturbation.name: curve.perturbation.unit for curve in record.curves}
    verdicts = {"never": "holds", "at": "fails", "unchanged": "fails", "unknown": "unknown"}
    return [
        (
            one.perturbation,
            criterion_words(one.criterion),
            verdicts[one.outcome],
            breakpoint_words(one, units[one.perturbation]),
        )
        for one in record.breakpoints
    ]
