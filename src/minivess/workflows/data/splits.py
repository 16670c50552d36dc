"""The leakage guard on its own, and what the parts of a split hold."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.data.groups import own_subjects
from minivess.records.data.leakage import LeakageReport
from minivess.records.data.split import Share, SplitManifest
from minivess.records.device.workspace_files import LEAKAGE, MANIFEST, SPLIT
from minivess.workflows.data.near_duplicates import kept_search
from minivess.workflows.data.splitting import write_leakage
from minivess.workflows.session.bound_inputs import BoundInputs, refused_on_record
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services, WorkspaceReader


@implements("REQ-086")
def leakage(services: Services, signer: Signer) -> LeakageReport:
    """Run the guard alone on the present split, and write data/leakage.json and, with anything to show, .html."""
    from minivess.ml.splits import leakage as guard

    workspace = Workspace(services.workspace)
    held = BoundInputs.of(services)
    with refused_on_record(services, "data.leakage", signer):
        manifest, made = held.manifest, held.split
    with recorded(
        services,
        "data.leakage",
        signer,
        inputs=[held.recorded(MANIFEST), held.recorded(SPLIT)],
        context=services.context(data=made.root),
    ) as record:
        pairs = guard.near(
            manifest, workspace.prepared, searched=kept_search(held), known=made.near, progress=services.progress
        )
        report = guard.leaks(manifest, made, pairs)
        write_leakage(workspace, manifest, report)
        record.output(LEAKAGE, workspace.root / LEAKAGE)
        record.payload(across=len(report.across), within=len(report.within))
    return report


def shares(services: WorkspaceReader, made: SplitManifest) -> tuple[Share, ...]:
    """What every part and fold of a split holds."""
    from minivess.ml.splits import splits

    return splits.shares(BoundInputs.of(services).manifest, made, services.project.split.stratify_by)


def subjects_note(services: WorkspaceReader) -> str | None:
    """The sentence about a set in which every case is its own subject; None for any other set."""
    return own_subjects(BoundInputs.of(services).manifest)
