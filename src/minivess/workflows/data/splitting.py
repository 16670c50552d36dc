"""Assigning the cases to parts and folds, and locking that."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.digests import digest_bytes
from minivess.foundation.errors import RefusedError
from minivess.foundation.files import write_text_atomic
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.foundation.reading.json_records import json_text
from minivess.records.data.dataset import DatasetManifest
from minivess.records.data.leakage import LeakageReport
from minivess.records.data.split import Split, SplitManifest
from minivess.records.device.workspace_files import LEAKAGE, MANIFEST, SEALED, SPLIT, VALIDATION
from minivess.records.log.entry import Outcome
from minivess.workflows.data.capabilities import check_capabilities
from minivess.workflows.data.near_duplicates import kept_search
from minivess.workflows.data.validation import record_validation
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader
from minivess.workflows.session.workspace_files import files_as_inputs, split_of, write_json


@follows("split")
@implements("REQ-089", "REQ-313")
def split(services: Services, signer: Signer) -> SplitManifest:
    """Assign cases to parts and folds, and lock that: the entry names the split's digest, and no other split of these
    cases is taken any more. Refused while validation blocks, or where something leaks.

    Splitting again by the same plan gives the locked split. Other cases (after another ingest) are split anew.
    """
    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.split", signer):
        manifest = held.manifest
    if (workspace.root / SEALED).is_file() or held.sealing is not None:
        at = "" if held.sealing is None else f" (sealed at entry {held.sealing[0]})"
        raise RefusedError(
            f"the test part is sealed: the split is final{at}", hint="start another project folder for other data"
        )
    record_validation(services, signer)
    held = BoundInputs.of(services)
    with recorded(
        services,
        "data.split",
        signer,
        inputs=[held.recorded(MANIFEST)],
        context=services.context(data=manifest.root),
    ) as record:
        record.input(VALIDATION, held.recorded(VALIDATION).digest)
        if held.validation.blocked:
            raise RefusedError(
                "validation blocks these cases",
                hint="correct what `minivess data validate` names, ingest and validate again",
            )
        made = _locked_by_plan(services, manifest) or propose(services)
        check_capabilities(services.project, manifest, made)
        locked = locked_split(services)
        if locked is not None and locked != digest_bytes(json_text(made).encode("utf-8")):
            raise RefusedError(
                "the split of these cases is locked, and the new split differs from it",
                hint="put `split` in minivess.yaml back as it was; other cases can be split anew",
            )
        write_json(workspace, SPLIT, made)
        record.context(data=made.root)
        record.output(SPLIT, workspace.root / SPLIT)
        record.payload(
            train=len(made.train),
            calibration=len(made.calibration),
            test=len(made.test),
            folds=len(made.folds),
            near_duplicates=len(made.near),
            **_counted(services.project.split),
        )
    return made


def _counted(plan: Split) -> dict[str, int]:
    """How many pairs the plan states, where it states any: other entries stay as they were."""
    counts = {"not_copies": len(plan.not_copies), "same": len(plan.same)}
    return {name: count for name, count in counts.items() if count}


def propose(services: WorkspaceReader) -> SplitManifest:
    """The split as it would be; nothing is written or recorded, except the page about leaks when there are any.

    Raises:
        RefusedError: something leaks; data/leakage.html shows the pairs.
    """
    from minivess.ml.splits import exceptions, leakage, splits
    from minivess.ml.splits.published import read_published

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    manifest, plan = held.manifest, services.project.split
    published = None if plan.published is None else read_published(services.workspace, plan.published, manifest)
    found = leakage.near(manifest, workspace.prepared, searched=kept_search(held), progress=services.progress)
    pairs = exceptions.apply(manifest, plan, found)
    made = splits.assign(manifest, plan, near=pairs.near, not_copies=pairs.not_copies, published=published)
    write_leakage(workspace, manifest, leakage.leaks(manifest, made))
    splits.check_leakage(manifest, made)
    return made


def locked_split(services: WorkspaceReader) -> str | None:
    """Digest of data/split.json as it was locked for the present cases; None while it is not.

    Raises:
        UsageError: there are no cases yet.
    """
    (cases,) = files_as_inputs(Workspace(services.workspace), MANIFEST)
    for entry in services.log.entries():
        body = entry.body
        if body.action == "data.split" and body.outcome is Outcome.COMPLETED and cases in body.inputs:
            for output in body.outputs:
                if output.name == SPLIT:
                    return output.digest
    return None


def _locked_by_plan(services: WorkspaceReader, manifest: DatasetManifest) -> SplitManifest | None:
    """The locked split, when it lies there unchanged and was made by the present plan."""
    from minivess.ml.splits import splits
    from minivess.ml.splits.published import read_published

    workspace, plan = Workspace(services.workspace), services.project.split
    locked = locked_split(services)
    if locked is None or not (workspace.root / SPLIT).is_file():
        return None
    (there,) = files_as_inputs(workspace, SPLIT)
    if there.digest != locked:
        return None
    published = None if plan.published is None else read_published(services.workspace, plan.published, manifest)
    made = split_of(workspace)
    return made if made.plan == splits.plan_digest(plan, published) else None


def write_leakage(workspace: Workspace, manifest: DatasetManifest, report: LeakageReport) -> None:
    """Write data/leakage.json and, with anything to show, data/leakage.html."""
    from minivess.ml.quality.pages.leakage_page import page

    path = workspace.data / "leakage.html"
    if report.across or report.within or report.not_copies:
        write_text_atomic(path, page(manifest, report, workspace.prepared))
    else:
        path.unlink(missing_ok=True)
    write_json(workspace, LEAKAGE, report)
