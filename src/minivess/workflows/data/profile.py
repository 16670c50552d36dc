"""What the images of a data set are like, in figures, as the reference that later data are compared with."""

from __future__ import annotations

from minivess.compliance.identity.signer import Signer
from minivess.foundation.paths import Workspace
from minivess.records.data.profile import DatasetProfile
from minivess.records.device.workspace_files import MANIFEST, PROFILE
from minivess.workflows.session.recording import recorded
from minivess.workflows.session.services import Services
from minivess.workflows.session.workspace_files import files_as_inputs, manifest_of, write_json


def profile(services: Services, signer: Signer) -> DatasetProfile:
    """Profile the cases and keep the figures in data/profile.json. What validation measured is not measured again.

    Raises:
        UsageError: nothing was ingested.
        InputError: no case can be read.
        RefusedError: the test part is sealed already; the profile of before stands.
    """
    from minivess.ml.quality import profile as profiles
    from minivess.ml.quality import survey

    workspace = Workspace(services.workspace)
    manifest = manifest_of(workspace)
    with recorded(
        services,
        "data.profile",
        signer,
        inputs=files_as_inputs(workspace, MANIFEST),
        context=services.context(data=manifest.root),
    ) as record:
        surveyed = survey.survey(manifest, workspace.prepared, memory=workspace.measures, progress=services.progress)
        figures = profiles.summarise(surveyed)
        write_json(workspace, PROFILE, figures)
        record.output(PROFILE, workspace.root / PROFILE)
        record.payload(cases=len(figures.cases), groups=len(figures.groups))
    return figures
