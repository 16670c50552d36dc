"""Evaluate the newest model on cases that are not in the test set, at any time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from minivess.compliance.proofs.canonical import digest_of
from minivess.foundation.files import write_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.ml.evaluation.baseline import tune_thresholds
from minivess.ml.evaluation.evaluate import Predict, evaluate
from minivess.ml.evaluation.figures import write_figures
from minivess.ml.evaluation.report.case_panels import draw_case
from minivess.ml.evaluation.report.facts import Fact, ReportFacts
from minivess.ml.evaluation.report.page import write_report
from minivess.records.data.groups import groups_of
from minivess.records.data.split import Part
from minivess.records.device.workspace_files import ENSEMBLE
from minivess.records.evaluation.evaluation import AnalysisPlan, ClassThresholds, EvaluationPlan, EvaluationRecord
from minivess.records.evaluation.parts import EvaluatedPart
from minivess.records.models.ensemble import EnsembleRecord
from minivess.workflows.analysis.open_cases import open_cases, open_names
from minivess.workflows.analysis.report_sections import further_sections
from minivess.workflows.evaluation.newest_model import NewestModel, newest_model
from minivess.workflows.models.cases import cases_of
from minivess.workflows.models.listening import track_evaluation
from minivess.workflows.sealed.analysis_plan import plan_of
from minivess.workflows.sealed.report_facts import software_facts
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.services import WorkspaceReader

_SHOWN = 12
"""Digits of the digest of a model in the name of a folder."""


class PartEvaluation(NamedTuple):
    """An evaluation of a part, and where its files are."""

    record: EvaluationRecord
    folder: Path
    model: str
    """What was evaluated, for people."""
    plan: AnalysisPlan
    """As the project file states it."""


class _Judged(NamedTuple):
    """What the cases of a part are judged with."""

    cases: tuple[str, ...]
    predict: Predict
    thresholds: tuple[ClassThresholds, ...]
    """Of each class."""
    cross_fitted: dict[str, tuple[ClassThresholds, ...]]
    """Of single cases."""


@implements("REQ-422", "REQ-424", "RC-168")
def evaluate_part(services: WorkspaceReader, part: EvaluatedPart) -> PartEvaluation:
    """Measure the newest model on a part of the data set that is not the test set.

    The record and its pictures are in `evidence/evaluation/parts/PART/MODEL`, and in MLflow. No entry is written, because
    nothing of the test set is read, and no gate takes the record.

    Args:
        services: the workspace.
        part: `validation`: the cases of the training part that the members did not learn from. `calibration`: cross-fitted.

    Raises:
        UsageError: there is no model, or no such case.
        VerificationError: a file is not the one that the log names, or members were trained on another split.
    """
    held, workspace = BoundInputs.of(services), Workspace(services.workspace)
    model, groups = newest_model(services, held), groups_of(held.manifest, held.split)
    plan = plan_of(services.project, held.manifest.cases, terms=held.terms)

    with _judged(services, held, model, part, groups) as judged:
        record, pictures = evaluate(
            ((case.record, case.image) for case in open_cases(services, held, judged.cases)),
            judged.predict,
            lambda name: next(open_cases(services, held, (name,))).label,
            EvaluationPlan(
                analysis=plan,
                model=model.digest,
                data=held.split.root,
                request=part,
                task=model.predictor.task,
                thresholds=judged.thresholds,
                looks=1,
                groups=groups,
                part=part,
                cross_fitted=judged.cross_fitted,
            ),
            draw=draw_case,
            progress=services.progress,
        )
    folder = workspace.evaluation / "parts" / part / model.digest.removeprefix("sha256:")[:_SHOWN]
    write_figures(record, pictures, folder / "figures")
    further = further_sections(
        workspace.evaluation, part, model=model.digest, ensemble=digest_of(held.record(ENSEMBLE, EnsembleRecord))
    )
    write_report(record, pictures.album, _facts(services, held, model, plan), folder / "report.html", further)
    write_atomic(folder / "evaluation.json", record.model_dump_json(indent=2).encode() + b"\n")
    track_evaluation(services, record, folder, data=held.version)
    return PartEvaluation(record, folder, model.kind, plan)


def _facts(services: WorkspaceReader, held: BoundInputs, model: NewestModel, plan: AnalysisPlan) -> ReportFacts:
    """What the report of a part states beside its record."""
    device = services.project.device
    return ReportFacts(
        device=f"{device.name} {device.version}",
        intended_use=device.intended_use,
        data=held.manifest.name,
        time=services.clock(),
        plan=plan,
        task=model.predictor.task,
        model=(
            Fact(term="What was evaluated", value=f"the {model.kind}"),
            Fact(term="Architecture", value=services.project.model.summary),
            Fact(term="Members", value=f"{len(held.runs)}; their probabilities are averaged"),
        ),
        software=software_facts(),
    )


@contextmanager
def _judged(
    services: WorkspaceReader, held: BoundInputs, model: NewestModel, part: EvaluatedPart, groups: dict[str, str]
) -> Iterator[_Judged]:
    wanted, task = services.project.calibration, model.predictor.task
    tuned = cases_of(held, Part.CALIBRATION)
    if part == "calibration":
        from minivess.ml.evaluation.cross_fitting import cross_fit
        from minivess.ml.uncertainty.calibration import CalibrationCase

        with tempfile.TemporaryDirectory(prefix="minivess-") as folder:
            fitted = cross_fit(
                model.predictor,
                [CalibrationCase(one.record.id, one.image, one.label, one.record.physical_spacing) for one in tuned],
                split=held.split,
                groups=groups,
                target_recall=wanted.target_recall,
                confidence=wanted.confidence,
                seed=services.project.split.seed,
                folder=Path(folder),
                progress=services.progress,
            )
            names = tuple(fitted.thresholds)
            yield _Judged(names, fitted.predictor.predict, fitted.thresholds[names[0]], fitted.thresholds)
        return
    names = open_names(services, held, "validation")
    baselines = tune_thresholds(
        [(case.image, case.label) for case in tuned], [groups[case.record.id] for case in tuned], task
    )
    thresholds = tuple(
        ClassThresholds(baseline=baseline, conformal=model.conformal[one.name])
        for one, baseline in zip(task.classes, baselines, strict=True)
    )
    yield _Judged(names, model.predictor.predict, thresholds, {})
