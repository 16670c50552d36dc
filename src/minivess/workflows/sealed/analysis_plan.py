"""The analysis plan and the facts that a request names, and their registration in the log."""

from __future__ import annotations

from collections.abc import Sequence

from minivess.compliance.identity.signer import Signer
from minivess.compliance.proofs.canonical import digest_of
from minivess.compliance.rules.look_facts import criteria_digest
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.artifact import Artifact
from minivess.records.data.dataset import CaseRecord
from minivess.records.device.project import Project
from minivess.records.device.registration import SealTerms
from minivess.records.device.workspace_files import CALIBRATION, CRITERIA, PLAN
from minivess.records.evaluation.evaluation import (
    BOOTSTRAP_UNIT,
    INTERVALS,
    MASKS,
    PUBLISHED,
    REUSE,
    REUSE_0_1_0,
    SCORED,
    SKELETON,
    SKELETON_BEFORE,
    STATISTICS,
    AnalysisPlan,
    Conventions,
    Statistics,
)
from minivess.records.evaluation.measures import measures_of
from minivess.records.evaluation.tolerance import tolerance_of
from minivess.records.log.receipt import Receipt
from minivess.records.models.model import MASK_THRESHOLD
from minivess.records.people.approval import Facts
from minivess.workflows.data.seal_terms import check_terms
from minivess.workflows.models.starts import refuse_seen_test_set
from minivess.workflows.sealed.evaluation_inputs import evaluation_inputs, inputs_digest
from minivess.workflows.sealed.registration import refuse_laxer, registrations_of
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json

_BEFORE: tuple[str, Statistics] = ("subject", "mean of cases")
"""Unit and statistics under seals of version 0.1.0."""


def configuration_digest(project: Project) -> str:
    """The digest of the whole configuration."""
    return digest_of(project.model_dump(mode="json"))


@implements("REQ-092", "REQ-242", "REQ-324")
def plan_of(
    project: Project, cases: Sequence[CaseRecord] = (), *, terms: SealTerms | None = None, fixed: bool = True
) -> AnalysisPlan:
    """The plan of the analysis, as the project file states it.

    Args:
        project: the project.
        cases: all cases of the data set. How the mask is made follows from their classes, and the tolerance from them where
            the project file states none.
        terms: the terms of the seal, whose unit, statistics and skeleton the plan takes; None before the sealing.
        fixed: whether the seal fixes the total of looks; False for seals of version 0.1.0.

    Raises:
        UsageError: no tolerance is stated, and none follows from the cases.
    """
    wanted = project.evaluation
    unit, statistics = (BOOTSTRAP_UNIT, STATISTICS) if fixed else _BEFORE
    if terms is not None:
        unit, statistics = terms.unit, terms.statistics
    by_group = statistics == "mean of groups"
    tolerance = tolerance_of(wanted.tolerance, cases)
    several = len(cases[0].classes if cases else project.data.declared) > 1
    return AnalysisPlan(
        measures=wanted.measures,
        mask=MASKS["several" if several else "one"],
        mask_threshold=MASK_THRESHOLD,
        conventions=Conventions(
            tolerance=tolerance.value,
            of_measure=_sentences(wanted.measures),
            unit=tolerance.unit,
            bootstrap=wanted.bootstrap,
            bootstrap_unit=unit,
            statistics=statistics,
            skeleton=SKELETON if by_group else SKELETON_BEFORE,
            failure_dice=wanted.failure_dice if by_group else None,
        ),
        intervals=INTERVALS[statistics],
        published=PUBLISHED,
        seed=project.split.seed,
        looks=wanted.looks,
        reuse=REUSE if fixed else REUSE_0_1_0,
        criteria=wanted.criteria,
        margins=wanted.margins,
        notes=wanted.notes,
        **({"scores": SCORED} if by_group else {}),
    )


@implements("REQ-380", "RC-153")
def _sentences(names: Sequence[str]) -> dict[str, str]:
    """What the evaluation says of empty and tiny masks and of the edge of the field, by measure. The sentences of all
    evaluations say it of the first measures."""
    return {row.name: row.convention for row in measures_of(names) if row.convention}


@implements("REQ-180")
def facts_of(services: Services, *, inputs: BoundInputs | None = None) -> Facts:
    """What a request names and an opening compares: everything that is there now, each file compared with the log.

    Call it inside `recorded`, so that a refusal is an entry.

    Args:
        services: the workspace.
        inputs: the files, when the log was read already.

    Raises:
        UsageError: the model is not exported, or the test part not sealed.
        VerificationError: a file is not the one the log names; the message names it.
        RefusedError: the weights that training started from have seen the test part.
    """
    project = services.project
    held = BoundInputs.of(services) if inputs is None else inputs
    known = {one.name: one.digest for one in evaluation_inputs(services, inputs=held)}
    check_terms(held.terms, project, held.manifest, held.split)
    refuse_seen_test_set(services, held)
    return Facts(
        model=held.model.digest,
        calibration=known[CALIBRATION],
        configuration=configuration_digest(project),
        plan=digest_of(plan_of(project, held.manifest.cases, terms=held.terms, fixed=held.terms is not None)),
        criteria=criteria_digest(project.evaluation.criteria),
        data=held.seal.root,
        inputs=inputs_digest(Artifact(name=name, digest=digest) for name, digest in known.items()),
    )


@implements("REQ-021", "REQ-092")
def register_criteria(services: Services, signer: Signer) -> Receipt:
    """Write the acceptance criteria and the analysis plan into the log. Openings under others are refused.

    Raises:
        RefusedError: they are laxer than the seal, or than what a look was judged by.
    """
    workspace = Workspace(services.workspace)
    with recorded(services, "criteria.register", signer, instant=True) as record:
        held, registered = BoundInputs.of(services), registrations_of(services)
        fixed = held.sealing is None or held.terms is not None
        cases = held.manifest.cases if services.project.evaluation.tolerance is None else ()
        plan = plan_of(services.project, cases, terms=held.terms, fixed=fixed)
        if held.sealing is not None:
            check_terms(held.terms, services.project, held.manifest, held.split)
        refuse_laxer(registered.laxer_than_looks(plan=plan))
        write_json(workspace, CRITERIA, services.project.evaluation)
        write_json(workspace, PLAN, plan)
        record.output(CRITERIA, workspace.evaluation / "criteria.json")
        record.output(PLAN, workspace.evaluation / "plan.json")
        record.payload(
            criteria=[one.model_dump(mode="json") for one in plan.criteria], plan=plan.model_dump(mode="json")
        )
    return record.receipt
