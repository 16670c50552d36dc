"""Reading the cases of a project, as a recorded action."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.paths import Workspace
from minivess.records.data.dataset import DatasetManifest
from minivess.records.device.workspace_files import MANIFEST
from minivess.workflows.data.capabilities import check_capabilities
from minivess.workflows.pipeline.stages import follows
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import write_json


@follows("ingest")
def ingest(services: Services, signer: Signer) -> DatasetManifest:
    """Read and normalise every case of the project."""
    from minivess.ml.cases import prepared

    workspace = Workspace(services.workspace)
    with recorded(services, "data.ingest", signer) as record:
        check_capabilities(services.project)
        manifest = prepared.ingest(
            services.project.data, services.workspace, workspace.prepared, progress=services.progress
        )
        check_capabilities(services.project, manifest)
        write_json(workspace, MANIFEST, manifest)
        record.context(data=manifest.root)
        record.output(MANIFEST, workspace.root / MANIFEST)
        places = sorted({place for case in manifest.cases for place in case.identifiers})
        accepted = {"accept_identifiers": services.project.data.accept_identifiers, "identifiers": places[:64]}
        record.payload(dataset=manifest.name, cases=len(manifest.cases), **(accepted if places else {}))
    return manifest
