"""The leakage guard on its own, and what the parts of a split hold."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.errors import UsageError
from minivess.foundation.implements import implements
from minivess.foundation.paths import Workspace
from minivess.records.leakage import LeakageReport
from minivess.records.split import Share, SplitManifest
from minivess.workflows.data import MANIFEST, SPLIT, keep_leakage, made_of, manifest_of, split_of
from minivess.workflows.recording import recorded
from minivess.workflows.services import Services, WorkspaceReader


@implements("REQ-086")
def leakage(services: Services, signer: Signer) -> LeakageReport:
    """Run the guard alone on the present split, and write data/leakage.json and, with anything to show, .html."""
    from minivess.ml.datasets.checking import leakage as guard

    workspace = Workspace(services.workspace)
    manifest, made = manifest_of(workspace), split_of(workspace)
    if made.dataset != manifest.root:
        raise UsageError("the split belongs to another version of the data", hint="minivess data split")
    with recorded(
        services,
        "data.leakage",
        signer,
        inputs=made_of(workspace, MANIFEST, SPLIT),
        context=services.context(data=made.root),
    ) as record:
        pairs = guard.near(manifest, workspace.prepared, known=made.near, progress=services.progress)
        report = guard.leaks(manifest, made, pairs)
        keep_leakage(workspace, manifest, report)
        record.output("data/leakage.json", workspace.data / "leakage.json")
        record.payload(across=len(report.across), within=len(report.within))
    return report


def shares(services: WorkspaceReader, made: SplitManifest) -> tuple[Share, ...]:
    """What every part and fold of a split holds."""
    from minivess.ml.datasets import splits

    return splits.shares(manifest_of(Workspace(services.workspace)), made, services.project.split.stratify_by)
