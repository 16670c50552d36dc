"""Running the rules over the ingested cases, with or without a record."""

from __future__ import annotations

from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import VerificationError
from minivess.foundation.files import read_limited, write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.findings import RuleFindings, grouped
from minivess.records.data.validation import ValidationReport
from minivess.records.device.workspace_files import MANIFEST, NEAR_DUPLICATES, PACKED_VALIDATION, PROFILE, VALIDATION
from minivess.workflows.data.capabilities import capability_findings
from minivess.workflows.data.near_duplicates import kept_search
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import write_json

_PAGE_LIMIT = 1 << 30


@follows("validate")
def validate(services: Services, signer: Signer) -> ValidationReport:
    """Run the rules over the cases as `run_rules` does, and record what was found."""
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.validate", signer):
        manifest = held.manifest
    with recorded(
        services,
        "data.validate",
        signer,
        inputs=[held.recorded(MANIFEST)],
        context=services.context(data=manifest.root),
    ) as record:
        found = run_rules(services)
        for name in (NEAR_DUPLICATES, PROFILE, VALIDATION):
            if (workspace.root / name).is_file():
                record.output(name, workspace.root / name)
        record.output(PACKED_VALIDATION, _packed_page(workspace))
        severities = [finding.severity.value for finding in found.findings]
        record.payload(
            rules=len(found.rules),
            notes=severities.count("note"),
            warnings=severities.count("warning"),
            blocking=severities.count("block"),
            changed=len(found.changed),
        )
    return found


def _packed_page(workspace: Workspace) -> Path:
    """Write the page that a pack carries, without pictures of cases; returns where it is."""
    from minivess.ml.quality.pages.validation_page import without_pictures

    page = read_limited(workspace.data / "validation.html", limit=_PAGE_LIMIT).decode("utf-8")
    path = workspace.root / PACKED_VALIDATION
    write_text_atomic(path, without_pictures(page, reason="for the evidence pack"))
    return path


def run_rules(services: WorkspaceReader) -> ValidationReport:
    """Run the rules over the cases; write the findings, the page a person reads, and the profile of the set.

    Nothing is recorded in the log. What was measured is remembered case by case, so that an interrupted validation goes
    on where it stopped, and another one takes little time.
    """
    from minivess.ml.quality import profile, rules, survey, validation
    from minivess.ml.quality.duplicates import near_search
    from minivess.ml.quality.pages import validation_page as report

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    manifest = held.manifest
    changes = services.project.data.rules
    rules.severities(changes)
    surveyed = survey.survey(manifest, workspace.prepared, memory=workspace.measures, progress=services.progress)
    searched = None
    if len(surveyed.measures) == len(manifest.cases) and not surveyed.faults:
        searched = near_search.search(manifest, workspace.prepared, known=kept_search(held), progress=services.progress)
    found = validation.validate(
        manifest,
        workspace.prepared,
        changes=changes,
        surveyed=surveyed,
        near=None if searched is None else searched.pairs,
        not_copies=services.project.split.not_copies,
        further=capability_findings(services.project, manifest),
        progress=services.progress,
    )
    figures = profile.summarise(surveyed) if surveyed.measures else None
    page = report.page(found, figures, surveyed, when=services.clock(), progress=services.progress)
    write_text_atomic(workspace.data / "validation.html", page)
    if figures is None:
        (workspace.root / PROFILE).unlink(missing_ok=True)
    else:
        write_json(workspace, PROFILE, figures)
    if searched is None:
        (workspace.root / NEAR_DUPLICATES).unlink(missing_ok=True)
    else:
        write_json(workspace, NEAR_DUPLICATES, searched)
    write_json(workspace, VALIDATION, found)
    return found


def by_rule(report: ValidationReport) -> tuple[RuleFindings, ...]:
    """The findings of a report by rule, gravest first."""
    from minivess.ml.quality.rule_catalogue import TEXTS

    return grouped(report.findings, TEXTS)


@implements("REQ-191", "REQ-180")
def record_validation(services: Services, signer: Signer) -> None:
    """Validate again and record it, unless the newest validation in the log is about these cases and in its place."""
    if not (services.workspace / VALIDATION).is_file():
        return
    held = BoundInputs.of(services)
    try:
        if held.knows(VALIDATION):
            _ = held.validation
            return
    except VerificationError:
        pass
    validate(services, signer)
