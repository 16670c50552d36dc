"""Reading the cases of a project: checked before there is a log, and taken as a recorded action."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import InputError, VerificationError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.dataset import CaseRecord, DatasetManifest
from minivess.records.data.findings import DataCheck, Found
from minivess.records.data.validation import ChangedRule
from minivess.records.device.workspace_files import MANIFEST
from minivess.records.sinks import Progress
from minivess.workflows.data.capabilities import capability_findings
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs
from minivess.workflows.session.project_file import load_project
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import write_json


@implements("REQ-300")
def check(folder: Path, *, progress: Progress | None = None) -> DataCheck:
    """Read every case of a project and judge it as `ingest` does; needs no key and no log.

    Cases that were read well are staged, so that `ingest` does not read them again.

    Raises:
        InputError: the project file is missing or malformed.
        UsageError: the project changes a rule that cannot be changed so.
    """
    from minivess.ml.cases.ingestion import read_cases
    from minivess.ml.quality.rules import severities
    from minivess.ml.quality.source_check import judge

    workspace = Workspace(folder.absolute())
    project = load_project(workspace.root)
    severities(project.data.rules)
    reading = read_cases(project.data, workspace.root, workspace.prepared, workspace.staged, progress=progress)
    return judge(reading, capability_findings(project, reading.manifest))


@follows("ingest")
@implements("REQ-300", "REQ-302")
def ingest(services: Services, signer: Signer) -> DatasetManifest:
    """Read every case of the project, and take them all if no finding blocks.

    Raises:
        CasesRefusedError: a finding blocks; the error has all of them, and no prepared case was changed.
    """
    from minivess.ml.cases.ingestion import read_cases, take_cases
    from minivess.ml.quality.rules import severities
    from minivess.ml.quality.source_check import judge

    workspace, data = Workspace(services.workspace), services.project.data
    with recorded(services, "data.ingest", signer) as record:
        _, changed = severities(data.rules)
        reading = read_cases(
            data,
            services.workspace,
            workspace.prepared,
            workspace.staged,
            known=_recorded_cases(services),
            progress=services.progress,
        )
        untakable = capability_findings(services.project, reading.manifest)
        manifest = take_cases(reading, judge(reading, untakable))
        write_json(workspace, MANIFEST, manifest)
        record.context(data=manifest.root)
        record.output(MANIFEST, workspace.root / MANIFEST)
        places = sorted({place for case in manifest.cases for place in case.identifiers})
        accepted = {"accept_identifiers": data.accept_identifiers, "identifiers": places[:64]} if places else {}
        lowered = _lowered(changed, manifest, untakable)
        record.payload(
            dataset=manifest.name,
            cases=len(manifest.cases),
            **accepted,
            **({"lowered": lowered} if lowered else {}),
        )
    return manifest


@implements("REQ-302")
def lowered_rules(services: WorkspaceReader, manifest: DatasetManifest) -> tuple[ChangedRule, ...]:
    """The rules that the project lowers and that the ingested cases break."""
    from minivess.ml.quality.rules import severities

    _, changed = severities(services.project.data.rules)
    return _lowered(changed, manifest, capability_findings(services.project, manifest))


def _lowered(
    changed: Iterable[ChangedRule], manifest: DatasetManifest, untakable: Iterable[Found]
) -> tuple[ChangedRule, ...]:
    met = {doubt.rule for case in manifest.cases for doubt in case.doubts} | {found.rule for found in untakable}
    return tuple(one for one in changed if one.rule in met and one.severity.rank < one.usual.rank)


def _recorded_cases(services: Services) -> dict[str, CaseRecord] | None:
    """The cases of the newest recorded ingest, by id; None where there is none or its manifest is not in its place."""
    held = BoundInputs.of(services)
    try:
        if held.knows(MANIFEST):
            return {case.id: case for case in held.manifest.cases}
    except (InputError, VerificationError):
        pass
    return None
